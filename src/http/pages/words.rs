//! Texts in both languages. A text that one of them lacks does not compile.

/// Makes a struct of texts: a field for each, with its French and its English.
///
/// `words! { Words; title: "Mails", "Mails"; }` gives a struct `Words` with the field `title`, and
/// `Words::of(lang)`. Texts with numbers or names in them are methods beside it.
macro_rules! words {
    ($name:ident; $($field:ident: $french:literal, $english:literal;)+) => {
        /// The texts of this room, in one language.
        #[derive(Debug)]
        pub(in crate::http::pages) struct $name {
            $(pub(in crate::http::pages) $field: &'static str,)+
        }

        impl $name {
            /// Those of a language.
            pub(in crate::http::pages) const fn of(lang: $crate::lang::Lang) -> &'static Self {
                const FRENCH: $name = $name { $($field: $french,)+ };
                const ENGLISH: $name = $name { $($field: $english,)+ };
                match lang {
                    $crate::lang::Lang::Fr => &FRENCH,
                    $crate::lang::Lang::En => &ENGLISH,
                }
            }
        }
    };
}

pub(in crate::http::pages) use words;
