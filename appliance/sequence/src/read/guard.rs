// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! A look at XML before it is parsed. The parser compares each attribute of an element with all before it, so that one
//! element of some megabytes would keep it busy for minutes.

/// Most attributes of one element; sequences have twelve.
pub(super) const MAX_ATTRIBUTES: usize = 256;

/// Whether some element has more attributes. What is not well-formed is left to the parser.
pub(super) fn has_crowded_element(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let apart = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((begin, end)) = apart.into_iter().find(|(begin, _)| rest.starts_with(begin)) {
            match rest[begin.len()..].find(end) {
                Some(length) => rest = &rest[begin.len() + length + end.len()..],
                None => return false,
            }
            continue;
        }
        let (mut quote, mut attributes, mut end) = (None, 0, rest.len());
        for (at, byte) in rest.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), byte) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => attributes += 1,
                (None, b'>') => {
                    end = at + 1;
                    break;
                }
                (None, _) => {}
            }
            if attributes > MAX_ATTRIBUTES {
                return true;
            }
        }
        rest = &rest[end..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_counted_where_they_are_some() {
        let with =
            |count: usize| format!("<a><b {}/></a>", (0..count).map(|n| format!("a{n}='>' ")).collect::<String>());
        assert!(!has_crowded_element(&with(256)) && has_crowded_element(&with(257)));
        let signs = "=".repeat(1000);
        for text in [
            format!("<a x=\"{signs}\">{signs}</a>"),
            format!("<!-- <b {signs}> --><a/>"),
            format!("<a><![CDATA[<b {signs}>]]></a>"),
            format!("<?x {signs}?><a/>"),
            format!("<a b='{signs}"),
            "<!-- never ends".to_owned(),
            "".to_owned(),
        ] {
            assert!(!has_crowded_element(&text), "{text}");
        }
        assert!(has_crowded_element(&format!("<!-- x --><a/><![CDATA[x]]><b {signs}>")));
    }
}
