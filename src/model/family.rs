//! Families of formulas: activations, losses, update rules.
//!
//! A member of a family is one file with its formula, one row of the family's table, and one file
//! of `shaders/` with the same formula. The table gives its name in configurations, on the command
//! line and in files, its parameters with their defaults, and the examples that tests walk.

/// What activations, losses and update rules have in common: members with parameters.
pub trait Family: Copy + 'static {
    /// Of a parameter.
    type Param: Copy + Into<f64> + 'static;
    /// Every member, with its default parameters.
    const ALL: &'static [Self];
    /// The name used in configurations and files.
    fn name(self) -> &'static str;
    /// Its parameters by name.
    fn params(self) -> Vec<(&'static str, Self::Param)>;
}

/// Declares a family from its table.
///
/// A row is `/// help` `Variant { parameter = default } "name" or "other name" in module`, the other name
/// where there is one; the module holds a struct named like the variant, with the same parameters as fields, that has the formula.
/// Besides the enum and the enum of names it makes a macro that hands the modules' names to
/// another macro, from which the GPU backend includes the shaders.
macro_rules! family {
    (
        ($d:tt) $table:ident, visitor $visitor:ident of $formula:path;
        $(#[$about:meta])* pub enum $name:ident: $param_type:ty;
        $(#[$kind_about:meta])* pub enum $kind:ident;
        $(
            $(#[doc = $help:literal])+
            $variant:ident $({ $($param:ident = $default:expr),+ })? $text:literal $(or $alias:literal)? in $module:ident,
        )+
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum $name {
            $(
                $(#[doc = $help])+
                $variant $({ $(#[doc = concat!("The parameter `", stringify!($param), "`.")] $param: $param_type),+ })?,
            )+
        }

        $crate::names::named! {
            $(#[$kind_about])*
            pub enum $kind {
                $($(#[doc = $help])+ $variant $text $(or $alias)?,)+
            }
        }

        impl $kind {
            /// The member of this name, with the parameters `given` knows and defaults for the others.
            pub fn with(self, given: impl Fn(&str) -> Option<$param_type>) -> $name {
                let _ = &given;
                match self {
                    $(Self::$variant => $name::$variant $({
                        $($param: given(stringify!($param)).unwrap_or($default)),+
                    })?,)+
                }
            }
        }

        impl $crate::model::Family for $name {
            type Param = $param_type;
            const ALL: &[Self] = Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }

            fn params(self) -> Vec<(&'static str, $param_type)> {
                self.params()
            }
        }

        impl $name {
            /// Every member, with its default parameters.
            pub const ALL: &[Self] = &[$(Self::$variant $({ $($param: $default),+ })?),+];

            /// Its name without its parameters.
            pub fn kind(self) -> $kind {
                match self {
                    $(Self::$variant $({ $($param: _),+ })? => $kind::$variant,)+
                }
            }

            /// The name used in configurations and files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant $({ $($param: _),+ })? => $text,)+
                }
            }

            /// Its parameters by name.
            pub fn params(self) -> Vec<(&'static str, $param_type)> {
                match self {
                    $(Self::$variant $({ $($param),+ })? => vec![$($((stringify!($param), $param)),+)?],)+
                }
            }

            /// The parameter `name`, if it has one.
            pub fn param(self, name: &str) -> Option<$param_type> {
                self.params().into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
            }

            /// Hands the formula to `visitor`, which is compiled once for each, so that the choice
            /// is not made inside its loops.
            #[inline(always)]
            pub fn visit<V: $visitor>(self, visitor: V) -> V::Output {
                match self {
                    $(Self::$variant $({ $($param),+ })? => {
                        visitor.visit($module::$variant $({ $($param),+ })?)
                    })+
                }
            }
        }

        /// What is done with a formula, whichever it is.
        pub trait $visitor {
            /// What comes of it.
            type Output;
            /// Does it.
            fn visit<F: $formula>(self, formula: F) -> Self::Output;
        }

        /// Hands the names of the modules, which are those of the shaders, and of the formulas to
        /// `callback`, after what comes before.
        #[cfg(feature = "gpu")]
        macro_rules! $table {
            ($d callback:ident, $d($d before:tt)*) => { $d callback! { $d($d before)* $($module $text)+ } };
        }
        #[cfg(feature = "gpu")]
        pub(crate) use $table;
    };
}
pub(crate) use family;
