//! Settings by name alone, for callers that have them one by one.

use super::{Config, ConfigError, in_plain_words, sections};
use crate::names::nearest;
use serde::Deserialize;
use toml::{Table, Value};

/// Section and TOML name of the settings that have another name where no section is beside it: that of their option.
const OPTIONS: [(&str, &str, &str); 2] =
    [("encoding", "encoding", "kind"), ("output_activation", "network", "output")];

/// Name, section and TOML name of every setting.
fn settings() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let named = |(section, fields): (_, &'static [&'static str])| {
        fields.iter().map(move |&field| {
            let option = OPTIONS.iter().find(|option| (option.1, option.2) == (section, field));
            (option.map_or(field, |option| option.0), section, field)
        })
    };
    sections::FIELDS.into_iter().flat_map(named)
}

impl Config {
    /// The names of all settings: those of the command line's options, with underscores.
    pub fn setting_names() -> Vec<&'static str> {
        settings().map(|setting| setting.0).collect()
    }

    /// A configuration of settings by name, in any order; a name may also be that in TOML, without its section.
    ///
    /// # Errors
    /// When there is no such setting, or it takes no such value; the sentence says what would be right.
    pub fn from_settings(given: impl IntoIterator<Item = (String, Value)>) -> Result<Self, ConfigError> {
        let mut sections = Table::new();
        for (name, value) in given {
            let found = settings().find(|setting| setting.0 == name || setting.2 == name);
            let (_, section, field) = found.ok_or_else(|| unknown(&name))?;
            let one = Table::from_iter([(field.to_owned(), value)]);
            let alone = Table::from_iter([(section.to_owned(), Value::Table(one.clone()))]);
            Self::deserialize(alone)
                .map_err(|e| ConfigError::of_setting(&name, &in_plain_words(e.message().to_owned())))?;
            let section = sections.entry(section).or_insert_with(|| Value::Table(Table::new()));
            section.as_table_mut().expect("a section is a table").extend(one);
        }
        Self::deserialize(sections).map_err(|e| ConfigError::of_setting("settings", e.message()))
    }
}

fn unknown(name: &str) -> ConfigError {
    let names = Config::setting_names();
    let instead = match nearest(name, &names) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("there are {}", names.join(", ")),
    };
    ConfigError::of_setting(&format!("`{name}` is no setting"), &instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[(&str, Value)]) -> Result<Config, String> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        Config::from_settings(given).map_err(|e| e.to_string())
    }

    #[test]
    fn settings_by_name_are_those_of_a_file() {
        let file = "encoding.kind = 'gaussian'\nencoding.sigma = 'auto'\nencoding.also = ['none']\nnetwork.output = 'identity'\n\
                    training.epochs = 7\ntraining.lr = 1\ntraining.channel_weights = [1, 1, 0.5]\ndevice.threads = 2";
        let numbers = |values: [f64; 3]| Value::from(values.map(Value::from).to_vec());
        let given = [
            ("encoding", "gaussian".into()),
            ("sigma", "auto".into()),
            ("also", vec![Value::from("none")].into()),
            ("output_activation", "identity".into()),
            ("epochs", 7.into()),
            ("lr", 1.into()),
            ("channel_weights", numbers([1.0, 1.0, 0.5])),
            ("threads", 2.into()),
        ];
        assert_eq!(of(&given), Ok(Config::parse(file).expect("a configuration")));
        assert_eq!(of(&[("kind", "none".into())]), of(&[("encoding", "none".into())]));
        let names = Config::setting_names();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert!(names.len() > 50 && distinct.len() == names.len(), "{names:?}");
    }

    #[test]
    fn what_is_no_setting_or_no_value_of_it_is_said() {
        let wrong = |name: &str, value: Value| of(&[("epochs", 3.into()), (name, value)]).expect_err(name);
        assert_eq!(wrong("hiden", 3.into()), "`hiden` is no setting: did you mean `hidden`?");
        assert!(wrong("model", 3.into()).starts_with("`model` is no setting: there are file, page, size, "));
        let message = wrong("hidden", "many".into());
        let (start, end) = ("hidden: ", "a whole number, 0 or more");
        assert!(message.starts_with(start) && message.ends_with(end), "{message}");
        let message = wrong("encoding", "fourrier".into());
        assert!(message.starts_with("encoding: ") && message.contains("gaussian"), "{message}");
        assert!(wrong("threads", (-1).into()).starts_with("threads: "));
    }
}
