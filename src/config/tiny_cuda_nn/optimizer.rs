//! The section `optimizer`: an update rule within wrappers.

use super::section::Section;
use crate::config::{OptimizerKind, TrainingConfig};
use crate::model::ScheduleKind;
use serde_json::Map;

/// The rule and the wrappers around it.
pub(super) fn optimizer(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    training.schedule.get_or_insert(ScheduleKind::Constant);
    let (name, written) = section.otype("Adam")?;
    match name.as_str() {
        "adam" => adam(section, training)?,
        "sgd" => {
            training.optimizer = Some(OptimizerKind::Sgd);
            training.lr = Some(section.number("learning_rate", 1e-3)?);
            training.l2 = Some(section.number("l2_reg", 1e-8)?);
        }
        "ema" => {
            training.ema = Some(section.number("decay", 0.99)?);
            section.get("full_precision");
            return nested(section, training);
        }
        "exponentialdecay" => {
            exponential_decay(section, training)?;
            return nested(section, training);
        }
        "batched" => {
            section.get("batch_size_multiplier");
            log::warn!("the optimizer `Batched` is ignored: give --batch, which needs no more memory");
            return nested(section, training);
        }
        _ => {
            let supported = "Adam and SGD, within EMA, ExponentialDecay and Batched";
            return Err(section.unsupported(written, supported));
        }
    }
    section.finish();
    Ok(())
}

fn nested(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let empty = Map::new();
    let inner = Section::new("optimizer", section.get("nested"), &empty)?;
    section.finish();
    optimizer(&inner, training)
}

fn adam(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let lr = section.number("learning_rate", 1e-3)?;
    training.optimizer = Some(OptimizerKind::Adam);
    training.lr = Some(lr);
    training.beta1 = Some(section.number("beta1", 0.9)?);
    training.beta2 = Some(section.number("beta2", 0.999)?);
    training.epsilon = Some(section.number("epsilon", 1e-8)?);
    training.l2 = Some(section.number("l2_reg", 1e-8)?);
    training.weight_decay = Some(section.number("relative_decay", 0.0)?);
    // Its "matrix" parameters are the network's, the others the encoding's.
    training.encoding_l2 = Some(section.number("non_matrix_l2_reg", 0.0)?).filter(|&l2| l2 != 0.0);
    let factor = section.number("non_matrix_learning_rate_factor", 1.0)?;
    training.encoding_lr = (factor != 1.0).then_some(factor * lr);
    for key in ["absolute_decay", "gradient_clipping_magnitude", "weight_clipping_magnitude"] {
        section.must_be(key, 0.0)?;
    }
    section.is_off("adabound")?;
    section.is_off("skip_zero_grad_non_matrix_params")
}

/// lr decay_base^k, where k counts the steps decay_start, decay_start + decay_interval and on.
fn exponential_decay(section: &Section, training: &mut TrainingConfig) -> Result<(), String> {
    let start = section.count("decay_start", 10_000)?;
    let interval = section.count("decay_interval", 10_000)?;
    section.get("decay_end");
    if interval == 0 || start < interval {
        return Err(format!(
            "optimizer.decay_start is {start} and decay_interval {interval}: this program's first decay comes \
             after at least one interval of one step or more"
        ));
    }
    training.schedule = Some(ScheduleKind::Step);
    training.decay = Some(section.number("decay_base", 0.1)?);
    training.cycle = Some(interval.into());
    training.hold = Some(u64::from(start - interval)).filter(|&hold| hold > 0);
    Ok(())
}
