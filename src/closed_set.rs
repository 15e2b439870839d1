//! Enums whose values appear in events, metrics and options: a closed set of words.

/// Defines an enum with the word for each variant, and from it `ALL` and `as_str`, which therefore cannot
/// miss one.
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$of_variant])* $variant,)+ }

        impl $name {
            /// Every value, in the order of their definition.
            pub const ALL: [Self; [$($word,)+].len()] = [$(Self::$variant,)+];

            /// The word for it, as events, metrics and options write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}
pub(crate) use closed_set;
