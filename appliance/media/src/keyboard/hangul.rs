// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Putting Hangul syllables together from the letters of a two-set (dubeolsik) keyboard.

const LEADING: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const VOWELS: &str = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ";
const TRAILING: &str = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
/// Two letters typed one after the other, and the one they make.
const PAIRS: &[(char, char, char)] = &[
    ('ㅗ', 'ㅏ', 'ㅘ'),
    ('ㅗ', 'ㅐ', 'ㅙ'),
    ('ㅗ', 'ㅣ', 'ㅚ'),
    ('ㅜ', 'ㅓ', 'ㅝ'),
    ('ㅜ', 'ㅔ', 'ㅞ'),
    ('ㅜ', 'ㅣ', 'ㅟ'),
    ('ㅡ', 'ㅣ', 'ㅢ'),
    ('ㄱ', 'ㅅ', 'ㄳ'),
    ('ㄴ', 'ㅈ', 'ㄵ'),
    ('ㄴ', 'ㅎ', 'ㄶ'),
    ('ㄹ', 'ㄱ', 'ㄺ'),
    ('ㄹ', 'ㅁ', 'ㄻ'),
    ('ㄹ', 'ㅂ', 'ㄼ'),
    ('ㄹ', 'ㅅ', 'ㄽ'),
    ('ㄹ', 'ㅌ', 'ㄾ'),
    ('ㄹ', 'ㅍ', 'ㄿ'),
    ('ㄹ', 'ㅎ', 'ㅀ'),
    ('ㅂ', 'ㅅ', 'ㅄ'),
];
const FIRST_SYLLABLE: u32 = 0xac00;
const LAST_SYLLABLE: u32 = 0xd7a3;

fn index(letters: &str, c: char) -> Option<u32> {
    letters.chars().zip(0..).find_map(|(letter, at)| (letter == c).then_some(at))
}

fn pair(first: char, second: Option<char>) -> Option<char> {
    PAIRS.iter().find(|(a, b, _)| *a == first && Some(*b) == second).map(|&(_, _, both)| both)
}

/// Whether a two-set keyboard can make it: a syllable or a letter of one.
pub(super) fn can_make(c: char) -> bool {
    (FIRST_SYLLABLE..=LAST_SYLLABLE).contains(&c.into())
        || [LEADING, VOWELS].iter().any(|letters| letters.contains(c) && !PAIRS.iter().any(|&(_, _, both)| both == c))
}

/// Letters in the order of typing become syllables, as an input method joins them; everything else stays.
pub fn compose(typed: &str) -> String {
    let typed: Vec<char> = typed.chars().collect();
    let at = |place: usize| typed.get(place).copied();
    let is_vowel = |place: usize| at(place).is_some_and(|c| index(VOWELS, c).is_some());
    let mut composed = String::new();
    let mut place = 0;
    while let Some(first) = at(place) {
        let (Some(leading), true) = (index(LEADING, first), is_vowel(place + 1)) else {
            composed.push(first);
            place += 1;
            continue;
        };
        place += 1;
        let mut vowel = typed[place];
        place += 1;
        if let Some(both) = pair(vowel, at(place)) {
            vowel = both;
            place += 1;
        }
        // A consonant before a vowel begins the next syllable.
        let mut trailing = 0;
        if let Some(last) = at(place).filter(|_| !is_vowel(place + 1))
            && let Some(found) = index(TRAILING, last)
        {
            trailing = found + 1;
            place += 1;
            if let Some(both) = pair(last, at(place)).and_then(|both| index(TRAILING, both))
                && !is_vowel(place + 1)
            {
                trailing = both + 1;
                place += 1;
            }
        }
        let vowel = index(VOWELS, vowel).unwrap_or_default();
        composed.extend(char::from_u32(FIRST_SYLLABLE + (leading * 21 + vowel) * 28 + trailing));
    }
    composed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_the_syllables_an_input_method_makes() {
        for (typed, made) in [
            ("ㅎㅏㄴㄱㅜㄱ", "한국"),
            ("ㄱㅏㅂㅅㅇㅣ", "값이"),
            ("ㄱㅏㅂㅅㅣ", "갑시"),
            ("ㄷㅏㄹㄱ", "닭"),
            ("ㅇㅗㅏㅇㄱㅗㅏㄴ", "왕관"),
            ("ㄲㅗㅊ", "꽃"),
            ("ㅇㅡㅣㅅㅏ", "의사"),
            ("ㅋㅋㅋ", "ㅋㅋㅋ"),
            ("ㅏㅏ", "ㅏㅏ"),
            ("ㅎㅏㄸㅏ", "하따"),
            ("ㅇㅓㅂㅅㄷㅏ1!a", "없다1!a"),
        ] {
            assert_eq!(compose(typed), made);
        }
    }

    /// Every syllable is taken apart as keys give it and must come back.
    #[test]
    fn every_syllable_can_be_typed() {
        let apart = |c: char| PAIRS.iter().find(|&&(_, _, both)| both == c).map_or(vec![c], |&(a, b, _)| vec![a, b]);
        let mut count = 0;
        for code in FIRST_SYLLABLE..=LAST_SYLLABLE {
            let syllable = char::from_u32(code).expect("a character");
            let offset = code - FIRST_SYLLABLE;
            let letter = |letters: &str, at: u32| letters.chars().nth(at as usize).expect("a letter");
            let mut typed = vec![letter(LEADING, offset / 588)];
            typed.extend(apart(letter(VOWELS, offset / 28 % 21)));
            if !offset.is_multiple_of(28) {
                typed.extend(apart(letter(TRAILING, offset % 28 - 1)));
            }
            assert_eq!(compose(&typed.iter().collect::<String>()), syllable.to_string());
            assert!(can_make(syllable));
            count += 1;
        }
        assert_eq!(count, 11_172);
    }
}
