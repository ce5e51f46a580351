//! Families of formulas: activations, losses, update rules.
//!
//! A member of a family is one file with its formula, one row of the family's table, and one file
//! in `shaders/` with the same formula. The table has its name in configurations, on the command
//! line and in files, and its parameters with their defaults; tests iterate over it.

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
/// being optional. `as Other` is appended if its formula is that of another row. For each row, this declares a struct
/// named like the variant, with its parameters as fields; the module has the struct's formula. Besides the enum and the
/// enum of names, this defines a macro that passes the modules' names to another macro, with which the GPU backend
/// includes the shaders.
macro_rules! family {
    (
        ($d:tt) $table:ident, $with:ident of $family:ident;
        $(#[$about:meta])* pub enum $name:ident: $param_type:ty;
        $(#[$kind_about:meta])* pub enum $kind:ident;
        $(
            $(#[doc = $help:literal])+
            $variant:ident $({ $($param:ident = $default:expr),+ })? $text:literal $(or $alias:literal)? in $module:ident
                $(as $same:ident)?,
        )+
    ) => {
        $(family! { @formula $variant { $($($param: $param_type),+)? } $($same)? })+

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
            /// The member of this name, with parameters from `given`, or else their defaults.
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

            /// The member without its parameters.
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
        }

        /// Evaluates an expression with the formula of a member. It is compiled for each of them, so that its loops do
        /// not branch on the formula.
        macro_rules! $with {
            ($d member:expr, $d formula:ident => $d body:expr) => {
                match $d member {
                    $($crate::model::$name::$variant $({ $($param),+ })? => {
                        let $d formula = $crate::model::$family::$variant { $($($param),+)? };
                        $d body
                    })+
                }
            };
        }
        pub(crate) use $with;

        /// Calls `callback` with `before`, then the module (and shader) name and the name of each formula.
        #[cfg(feature = "gpu")]
        macro_rules! $table {
            ($d callback:ident, $d($d before:tt)*) => { $d callback! { $d($d before)* $($module $text)+ } };
        }
        #[cfg(feature = "gpu")]
        pub(crate) use $table;
    };
    (@formula $name:ident { $($param:ident: $type:ty),* }) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name { $(pub(crate) $param: $type),* }
    };
    (@formula $name:ident { $($fields:tt)* } $same:ident) => {
        pub(crate) type $name = $same;
    };
}
pub(crate) use family;
