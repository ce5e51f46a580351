//! Parameters of activations, losses and update rules, and their ranges. Each is a setting of the same name.

use super::ConfigError;
use super::resolve::bad;
use super::sections::Section;
use crate::model::Family;

/// Larger learning rates and decays are surely mistakes.
pub(super) const MAX_RATE: f64 = 1e4;

struct Range {
    setting: &'static str,
    is_allowed: fn(f64) -> bool,
    allowed: &'static str,
}

const RANGES: [Range; 9] = [
    above_zero("w0", "give a number above 0"),
    above_zero("scale", "give a number above 0"),
    below_one("slope"),
    above_zero("delta", "give a number above 0, such as 0.1"),
    below_one("momentum"),
    below_one("beta1"),
    below_one("beta2"),
    above_zero("epsilon", "give a number above 0, such as 1e-8"),
    Range {
        setting: "weight-decay",
        is_allowed: |v| (0.0..=MAX_RATE).contains(&v),
        allowed: "give a number from 0 to 10000",
    },
];

const fn above_zero(setting: &'static str, allowed: &'static str) -> Range {
    Range { setting, is_allowed: |v| v.is_finite() && v > 0.0, allowed }
}

const fn below_one(setting: &'static str) -> Range {
    Range { setting, is_allowed: |v| (0.0..1.0).contains(&v), allowed: "give a number from 0 to below 1" }
}

/// The parameters that any `F` has, by name, in the order of [`RANGES`].
fn parameters<F: Family>() -> impl Iterator<Item = (String, &'static Range)> {
    let has = |name: &str| F::ALL.iter().any(|member| param(*member, name).is_some());
    RANGES.iter().map(|range| (range.setting.replace('-', "_"), range)).filter(move |(name, _)| has(name))
}

fn param<F: Family>(member: F, name: &str) -> Option<F::Param> {
    member.params().into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// Refuses parameters of `F` in `section` that are out of range; `show` formats them.
pub(super) fn check<F: Family>(
    section: &impl Section,
    show: fn(F::Param) -> String,
) -> Result<(), ConfigError> {
    for (name, range) in parameters::<F>() {
        if let Some(value) = section.get(&name).filter(|v: &F::Param| !(range.is_allowed)((*v).into())) {
            return Err(bad(range.setting, show(value), range.allowed));
        }
    }
    Ok(())
}

/// Parameters of `F` that `section` gives but `chosen` does not have, with the names of those that have them.
pub(super) fn unused<F: Family>(section: &impl Section, chosen: F) -> Vec<(String, Vec<&'static str>)> {
    let unused = parameters::<F>()
        .filter(|(name, _)| section.setting(name).is_given() && param(chosen, name).is_none());
    let having = |name: &str| {
        F::ALL.iter().filter(|member| param(**member, name).is_some()).map(|member| member.name()).collect()
    };
    unused.map(|(name, range)| (range.setting.to_owned(), having(&name))).collect()
}

/// The same with the reason, in words.
pub(super) fn without_effect<F: Family>(section: &impl Section, chosen: F) -> Vec<(String, String)> {
    let why = |(setting, having): (_, Vec<_>)| {
        (setting, format!("with {}: only {} have it", chosen.name(), having.join(", ")))
    };
    unused(section, chosen).into_iter().map(why).collect()
}

/// Writes the parameters of `chosen` into `section`, and clears the others of `F`.
pub(super) fn fill<F: Family>(section: &mut impl Section, chosen: F) {
    parameters::<F>().for_each(|(name, _)| section.set(&name, param(chosen, &name)));
}

pub(super) fn clear<F: Family>(section: &mut impl Section) {
    parameters::<F>().for_each(|(name, _)| section.setting_mut(&name).clear());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NetworkConfig, TrainingConfig};
    use crate::model::{Activation, Loss, Optimizer};

    #[test]
    fn every_parameter_is_a_setting_with_a_range() {
        fn check<F: Family>(mut section: impl Section) {
            for member in F::ALL {
                fill(&mut section, *member);
                for (name, value) in member.params() {
                    let has_range = parameters::<F>().any(|(n, _)| n == name);
                    assert!(has_range, "{name} of {} has no range", member.name());
                    assert_eq!(section.get::<F::Param>(name).map(Into::into), Some(value.into()), "{name}");
                }
            }
        }
        check::<Activation>(NetworkConfig::default());
        check::<Loss>(TrainingConfig::default());
        check::<Optimizer>(TrainingConfig::default());
    }
}
