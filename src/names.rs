//! Named values: in configurations, on the command line and in files.

/// An enum whose values have names.
pub trait Named: Copy + 'static {
    /// All values, in the order in which they are listed.
    const ALL: &'static [Self];

    /// Its name.
    fn name(self) -> &'static str;

    /// An alias, if there is one.
    fn alias(self) -> Option<&'static str>;

    /// A one-line description.
    fn about(self) -> &'static str;

    /// The value named `name`.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name || value.alias() == Some(name))
    }

    /// All names, separated by commas.
    fn names() -> String {
        Self::ALL.iter().map(|value| value.name()).collect::<Vec<_>>().join(", ")
    }
}

/// `a, b and c`, with `and` or another word.
pub fn join<T: std::fmt::Display>(names: &[T], and: &str) -> String {
    let before = |i: usize| match names.len() - i {
        _ if i == 0 => String::new(),
        1 => format!(" {and} "),
        _ => ", ".to_owned(),
    };
    names.iter().enumerate().map(|(i, name)| format!("{}{name}", before(i))).collect()
}

/// The one of `known` that `key` may be a slip of.
pub(crate) fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&key.to_lowercase(), known);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    // A letter in five, so that `n_bins` is not taken for `n_dims`.
    (likeness(best) >= 0.8).then_some(best)
}

/// Declares an enum whose values have names.
///
/// A row is `/// help` `Variant "name" or "alias",` the alias being optional. `enum Name = Variant` sets an optional
/// default.
macro_rules! named {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident $(= $default:ident)? {
            $($(#[doc = $about:literal])+ $variant:ident $text:literal $(or $alias:literal)?,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[doc = $about])+ #[serde(rename = $text $(, alias = $alias)?)] $variant,)+
        }

        $(
            impl Default for $name {
                fn default() -> Self {
                    Self::$default
                }
            }
        )?

        impl $crate::names::Named for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            fn alias(self) -> Option<&'static str> {
                let aliases: &[&'static str] = match self {
                    $(Self::$variant => &[$($alias)?],)+
                };
                aliases.first().copied()
            }

            fn about(self) -> &'static str {
                let text = match self {
                    $(Self::$variant => concat!($($about),+).trim(),)+
                };
                text.strip_suffix('.').unwrap_or(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::names::Named::name(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                use $crate::names::Named;
                Self::named(name).ok_or_else(|| format!("`{name}` is none of {}", Self::names()))
            }
        }

        #[cfg(feature = "cli")]
        impl clap::ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                <Self as $crate::names::Named>::ALL
            }

            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                use $crate::names::Named;
                let value = clap::builder::PossibleValue::new(self.name()).help(self.about());
                Some(value.aliases(self.alias()))
            }
        }
    };
}
pub(crate) use named;

#[cfg(test)]
mod tests {
    use super::Named;
    use crate::config::OutputKind;
    use crate::model::Init;

    #[test]
    fn names_are_read_as_they_are_written() {
        for init in Init::ALL {
            assert_eq!(init.to_string().parse(), Ok(*init));
        }
        assert_eq!(OutputKind::named("none"), Some(OutputKind::Identity));
        assert_eq!("relu".parse::<OutputKind>(), Err("`relu` is none of sigmoid, identity".to_owned()));
        assert_eq!(Init::LecunNormal.about(), "W ~ N(0, 1 / fan_in), b = 0. Used by the course");
    }
}
