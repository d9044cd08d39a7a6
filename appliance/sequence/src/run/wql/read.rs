// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! From a text to a query.

use super::{Filter, Operator, Query, Value, WqlError};

/// Longest query that is read, in bytes: Windows' own limit is of this order.
const MAX_BYTES: usize = 16_384;
/// Deepest nesting of brackets and NOTs.
const MAX_DEPTH: usize = 32;

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, WqlError> {
        if text.len() > MAX_BYTES {
            return Err(WqlError { at: 1, expected: "a query of at most 16384 bytes", found: text.len().to_string() });
        }
        let mut reader = Reader { tokens: tokens(text)?, at: 0, end: text.chars().count() + 1 };
        reader.keyword("SELECT")?;
        let mut select = vec![reader.property(true)?];
        while reader.takes(|token| *token == Token::Sign(",")) {
            select.push(reader.property(true)?);
        }
        reader.keyword("FROM")?;
        let class = reader.property(false)?;
        let filter = if reader.is_keyword("WHERE") {
            reader.at += 1;
            Some(reader.any(0)?)
        } else {
            None
        };
        match reader.peek() {
            None => Ok(Self { select, class, filter }),
            Some(_) => Err(reader.error("WHERE, AND, OR or the end")),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Number(i128),
    Sign(&'static str),
}

const SIGNS: [&str; 11] = ["<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", ",", "*"];

/// With their places, from 1.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, WqlError> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let begin = at;
        let c = chars[at];
        let sign = SIGNS.into_iter().find(|sign| sign.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c)));
        let token = match (c, sign) {
            (c, _) if c.is_whitespace() => {
                at += 1;
                continue;
            }
            ('\'' | '"', _) => {
                let (value, next) = quoted(&chars, at)?;
                at = next;
                Token::Text(value)
            }
            (_, Some(sign)) => {
                at += sign.len();
                Token::Sign(sign)
            }
            (c, _) if c.is_ascii_digit() || (c == '-' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) => {
                at += 1;
                while chars.get(at).is_some_and(char::is_ascii_digit) {
                    at += 1;
                }
                let digits: String = chars[begin..at].iter().collect();
                let number = digits.parse();
                Token::Number(number.map_err(|_| WqlError { at: begin + 1, expected: "a number", found: digits })?)
            }
            (c, _) if c.is_alphabetic() || c == '_' => {
                while chars.get(at).is_some_and(|&c| c.is_alphanumeric() || c == '_' || c == '.') {
                    at += 1;
                }
                Token::Word(chars[begin..at].iter().collect())
            }
            (c, _) => {
                return Err(WqlError { at: begin + 1, expected: "a name, a value or a sign", found: format!("{c:?}") });
            }
        };
        found.push((begin + 1, token));
    }
    Ok(found)
}

/// A text in either quotes; `\` takes the meaning from quotes and from itself.
fn quoted(chars: &[char], at: usize) -> Result<(String, usize), WqlError> {
    let (mut value, mut next) = (String::new(), at + 1);
    while let Some(&c) = chars.get(next) {
        match c {
            c if c == chars[at] => return Ok((value, next + 1)),
            '\\' if chars.get(next + 1).is_some_and(|c| matches!(c, '\\' | '\'' | '"')) => {
                value.push(chars[next + 1]);
                next += 2;
            }
            c => {
                value.push(c);
                next += 1;
            }
        }
    }
    Err(WqlError { at: at + 1, expected: "a closing quote", found: "the end".into() })
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn takes(&mut self, is: impl Fn(&Token) -> bool) -> bool {
        let found = self.peek().is_some_and(is);
        self.at += usize::from(found);
        found
    }

    fn is_keyword(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn error(&self, expected: &'static str) -> WqlError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Text(text)) => format!("{text:?}"),
            Some(Token::Number(number)) => number.to_string(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
        };
        WqlError { at: self.tokens.get(self.at).map_or(self.end, |(at, _)| *at), expected, found }
    }

    fn keyword(&mut self, word: &'static str) -> Result<(), WqlError> {
        if self.is_keyword(word) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(word))
    }

    fn property(&mut self, or_all: bool) -> Result<String, WqlError> {
        if or_all && self.takes(|token| *token == Token::Sign("*")) {
            return Ok("*".to_owned());
        }
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.error("a name")),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Filter, WqlError> {
        let mut parts = vec![self.all(depth)?];
        while self.is_keyword("OR") {
            self.at += 1;
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, WqlError> {
        let mut parts = vec![self.one(depth)?];
        while self.is_keyword("AND") {
            self.at += 1;
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter, WqlError> {
        if depth > MAX_DEPTH {
            return Err(self.error("at most 32 brackets within each other"));
        }
        if self.is_keyword("NOT") {
            self.at += 1;
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes(|token| *token == Token::Sign("(")) {
            let inside = self.any(depth + 1)?;
            return if self.takes(|token| *token == Token::Sign(")")) { Ok(inside) } else { Err(self.error(")")) };
        }
        // Either side may be the property.
        if let Ok(property) = self.property(false) {
            let operator = self.operator()?;
            return Ok(Filter::Term { property, operator, value: self.value()? });
        }
        let value = self.value()?;
        let operator = match self.operator()? {
            Operator::Less => Operator::Greater,
            Operator::LessEqual => Operator::GreaterEqual,
            Operator::Greater => Operator::Less,
            Operator::GreaterEqual => Operator::LessEqual,
            other => other,
        };
        Ok(Filter::Term { property: self.property(false)?, operator, value })
    }

    fn operator(&mut self) -> Result<Operator, WqlError> {
        let is_not = |reader: &Self, word| {
            let next = reader.tokens.get(reader.at + 1).map(|(_, token)| token);
            reader.is_keyword(word)
                && matches!(next, Some(Token::Word(next)) if next.eq_ignore_ascii_case(
                if word == "NOT" { "LIKE" } else { "NOT" }))
        };
        let (operator, length) = match self.peek() {
            Some(Token::Sign("=")) => (Operator::Equal, 1),
            Some(Token::Sign("!=" | "<>")) => (Operator::NotEqual, 1),
            Some(Token::Sign("<")) => (Operator::Less, 1),
            Some(Token::Sign("<=")) => (Operator::LessEqual, 1),
            Some(Token::Sign(">")) => (Operator::Greater, 1),
            Some(Token::Sign(">=")) => (Operator::GreaterEqual, 1),
            _ if self.is_keyword("LIKE") => (Operator::Like, 1),
            _ if is_not(self, "NOT") => (Operator::NotLike, 2),
            _ if is_not(self, "IS") => (Operator::NotEqual, 2),
            _ if self.is_keyword("IS") => (Operator::Equal, 1),
            _ => return Err(self.error("one of = != <> < > <= >= LIKE IS")),
        };
        self.at += length;
        Ok(operator)
    }

    fn value(&mut self) -> Result<Value, WqlError> {
        let value = match self.peek() {
            Some(Token::Text(text)) => Value::Text(text.clone()),
            Some(Token::Number(number)) => Value::Number(*number),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Value::Flag(true),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Value::Flag(false),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Value::Null,
            _ => return Err(self.error("a text in quotes, a number, TRUE, FALSE or NULL")),
        };
        self.at += 1;
        Ok(value)
    }
}
