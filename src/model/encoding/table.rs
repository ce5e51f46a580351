//! The macro behind the table of encodings.

/// Declares the encodings from their table.
///
/// A row is `/// help` `Kind { parameter: type } "name" or "other name" of Family = make`, where `make` takes the
/// parameters and a seed and returns the [`Encoding`](super::Encoding). `, formula Name in module` is appended if
/// each feature depends only on the position: the module has a struct `Name` with the [`Formula`](super::Formula),
/// and `shaders/encoding/` a file of the same name.
///
/// Besides the enums it defines two macros that pass the table to another macro: `encoding_rows` the kinds with their
/// parameters, from which the configuration takes its settings, and `formulas` those with formulas, from which the
/// GPU backend makes their kernels.
macro_rules! encodings {
    (
        ($d:tt)
        $(
            $(#[doc = $help:literal])+
            $kind:ident $({ $($param:ident: $type:ty),+ })? $text:literal $(or $alias:literal)?
                of $family:ident = $make:path $(, formula $formula:ident in $module:ident)?;
        )+
    ) => {
        $crate::names::named! {
            /// Input encodings by name.
            pub enum EncodingKind {
                $($(#[doc = $help])+ $kind $text $(or $alias)?,)+
            }
        }

        impl EncodingKind {
            /// Its family.
            pub fn family(self) -> EncodingFamily {
                match self {
                    $(Self::$kind => EncodingFamily::$family,)+
                }
            }

            /// Names of its parameters, which are settings of the same names.
            pub fn params(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($(stringify!($param)),+)?],)+
                }
            }
        }

        /// An encoding as a configuration describes it.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum EncodingSpec {
            $(
                $(#[doc = $help])+
                $kind $({ $(#[doc = concat!("The setting `", stringify!($param), "`.")] $param: $type),+ })?,
            )+
        }

        impl Encoding {
            /// Builds the encoding. The same seed gives the same encoding on every machine.
            pub fn new(spec: EncodingSpec, seed: u64) -> Self {
                match spec {
                    $(EncodingSpec::$kind $({ $($param),+ })? => $make($($($param,)+)? seed),)+
                }
            }
        }

        /// An encoding whose features each depend only on the position.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Pointwise {
            $($(
                #[doc = concat!("See `model/encoding/", stringify!($module), ".rs`.")]
                $formula($module::$formula),
            )?)+
        }

        impl Pointwise {
            /// For each of them, a function that makes it with a number of units.
            pub(crate) const ALL: &[fn(usize) -> Self] =
                &[$($(|n_units| Self::$formula(<$module::$formula as Formula>::with_units(n_units)),)?)+];

            /// Its row of the table.
            pub fn kind(self) -> EncodingKind {
                match self {
                    $($(Self::$formula(_) => EncodingKind::$kind,)?)+
                }
            }

            /// The base name of its shader.
            pub fn stem(self) -> &'static str {
                match self {
                    $($(Self::$formula(_) => stringify!($module),)?)+
                }
            }

            /// Its formula.
            pub fn formula(&self) -> &dyn Formula {
                match self {
                    $($(Self::$formula(formula) => formula,)?)+
                }
            }

            /// The features of the position c.
            #[inline(always)]
            pub fn encode<T: Arithmetic>(&self, c: [T; 2], features: &mut [T]) {
                match self {
                    $($(Self::$formula(formula) => $module::$formula::encode(formula, c, features),)?)+
                }
            }
        }

        /// Passes kinds with their parameters to `callback`.
        macro_rules! encoding_rows {
            ($d callback:ident) => { $d callback! { $($kind { $($($param)+)? })+ } };
        }
        pub(crate) use encoding_rows;

        /// Passes the formulas, with their modules and shaders, to `callback`.
        #[cfg(feature = "gpu")]
        macro_rules! formulas {
            ($d callback:ident) => { $d callback! { $($($formula $module)?)+ } };
        }
        #[cfg(feature = "gpu")]
        pub(crate) use formulas;
    };
}
pub(crate) use encodings;
