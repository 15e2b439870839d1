//! Enums whose values appear in events, metrics and options: a closed set of words.

/// Defines an enum with a word for each variant. Also defines `ALL` and `as_str`, which cannot miss
/// a variant.
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$of_variant])* $variant,)+ }

        impl $name {
            /// All values in the order of definition.
            pub const ALL: [Self; [$($word,)+].len()] = [$(Self::$variant,)+];

            /// The word for it in events, metrics and options.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}
pub(crate) use closed_set;
