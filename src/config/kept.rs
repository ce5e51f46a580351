//! What a resumed run keeps of its settings.

use super::{Config, DeviceConfig};
use toml::Table;

impl Config {
    /// The settings that a resumed run keeps: all but its length, when it writes, where it runs and where its picture is.
    #[must_use]
    pub fn kept(mut self) -> Self {
        (self.training.epochs, self.picture.file, self.device) = (None, None, DeviceConfig::default());
        (self.output.snapshot_every, self.output.checkpoint_every) = (None, None);
        self
    }

    /// The first setting, of those that a resumed run keeps, in which `self` is no longer as it `was`, in words. One that
    /// was not set may be new, unless that is by the `same_version` of this program.
    pub(crate) fn first_change(&self, was: &Self, same_version: bool) -> Option<String> {
        let table = |config: &Self| {
            let mut kept = config.clone().with_former_defaults().kept();
            // Its file may have been moved; another one is another picture.
            kept.picture.mask = None;
            kept.to_toml().parse::<Table>().expect("it was just written")
        };
        let [was, now] = [was, self].map(table);
        let settings =
            |config: &Table, section: &str| config[section].as_table().cloned().unwrap_or_default();
        was.keys().find_map(|section| {
            let (was, now) = (settings(&was, section), settings(&now, section));
            let new = now.keys().filter(|_| same_version);
            let name = was.keys().chain(new).find(|name| was.get(*name) != now.get(*name))?;
            let words = |value: Option<&toml::Value>| value.map_or("unset".to_owned(), |v| v.to_string());
            let [was, now] = [was.get(name), now.get(name)].map(words);
            Some(format!("`{name}` of [{section}] must stay {was} and is {now}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::ColorHandling;

    #[test]
    fn the_first_change_of_a_kept_setting_is_named() {
        let was = Config::default();
        let changed = |change: fn(&mut Config)| {
            let mut now = was.clone();
            change(&mut now);
            now.first_change(&was, true)
        };
        for free in [
            |c: &mut Config| c.training.epochs = Some(3),
            |c: &mut Config| c.picture.file = Some("elsewhere.png".into()),
            |c: &mut Config| c.picture.mask = Some("elsewhere.png".into()),
            |c: &mut Config| c.device.threads = Some(2),
            // As a former version left it.
            |c: &mut Config| c.picture.color = Some(ColorHandling::Keep),
        ] {
            assert_eq!(changed(free), None);
        }
        let lr = changed(|c| c.training.lr = Some(0.01));
        assert_eq!(lr.as_deref(), Some("`lr` of [training] must stay unset and is 0.01"));
        let now = Config::parse("[training]\nlr = 0.5\nseed = 3").expect("settings");
        let was = Config::parse("[training]\nseed = 3").expect("settings");
        assert_eq!(now.first_change(&was, false), None, "a later version may set more");
        assert!(
            was.first_change(&now, false).is_some_and(|change| change.contains("must stay 0.5 and is unset"))
        );
    }
}
