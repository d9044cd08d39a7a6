// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Settings that are one of a few words.

/// Whose values are words.
pub(super) trait Word: Copy + 'static {
    /// Every value, in its order.
    fn all() -> &'static [Self];
    /// As it is written.
    fn word_of(self) -> &'static str;

    /// The value that is written so.
    fn of(word: &str) -> Option<Self> {
        Self::all().iter().copied().find(|value| value.word_of() == word)
    }

    /// What may be written, as messages say it: `"a", "b" or "c"`.
    fn choice() -> String {
        let words: Vec<String> = Self::all().iter().map(|value| format!("{:?}", value.word_of())).collect();
        match words.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

/// An enum whose values are words, written alike in TOML, in JSON and in messages.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$meaning:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$meaning])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// Every value, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// As it is written.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::config::words::Word for $name {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn word_of(self) -> &'static str {
                self.word()
            }
        }
    };
}

pub(super) use words;
