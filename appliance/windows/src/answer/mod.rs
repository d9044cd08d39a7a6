// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The answer file of Windows Setup (`unattend.xml`): the user's own, with the settings of the steps Apply Windows
//! Settings and Apply Network Settings put in.
//!
//! The user's file stays as it is, byte for byte, but for the values that are put in: order, comments, components that
//! nobody here knows. Values go into the components of the image's architecture; those of others are not looked at, and
//! neither is the pass `windowsPE`, which nothing reads where an image is applied from outside.

mod edit;
mod element;
mod network;
mod setup_complete;
mod values;
mod windows;

use crate::Architecture;

use self::edit::Step;
use self::element::Element;
pub use self::network::{Account, Adapter, Gateway, Membership, NetworkSettings};
pub use self::setup_complete::{IMAGES_SETUP_COMPLETE, SETUP_COMPLETE, is_setup_complete, setup_complete};
pub use self::values::{Secret, SettingProblem};
pub use self::windows::{Administrator, WindowsSettings};

/// Bigger files are no answer files; the biggest seen are some 100 KiB.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Namespace of answer files.
const UNATTEND: &str = "urn:schemas-microsoft-com:unattend";

/// An answer file that is worked on.
#[derive(Clone, PartialEq, Eq)]
pub struct AnswerFile {
    /// Without its XML declaration.
    text: String,
    architecture: Architecture,
    secrets: Vec<String>,
}

/// What is wrong with an answer file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "its messages name every field")]
pub enum AnswerError {
    /// Over [`MAX_ANSWER_BYTES`].
    #[error("the answer file has {size_bytes} bytes, the limit is {}", MAX_ANSWER_BYTES)]
    TooLarge { size_bytes: usize },
    /// Neither UTF-8 nor UTF-16 with its mark.
    #[error("the answer file is neither UTF-8 nor UTF-16 with a byte order mark; save it as UTF-8")]
    Encoding,
    /// The source says where.
    #[error("reading the answer file as XML")]
    Xml(#[source] roxmltree::Error),
    /// Elements with more attributes than anybody needs keep the parser busy for minutes.
    #[error("an element of the answer file has more than {limit} attributes")]
    Crowded { limit: usize },
    /// XML of something else.
    #[error(
        "expected <unattend xmlns=\"{UNATTEND}\">, found <{found}>; is this an answer file of Windows Vista or later?"
    )]
    NotAnAnswerFile { found: String },
    /// Windows Setup takes no such file ("specified more than once in the answer file").
    #[error("pass {pass} of the answer file has the component {component} twice; put them together")]
    Twice { pass: String, component: String },
}

/// What stands for a `%name%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// The variable's value.
    pub text: String,
    /// It must not be shown.
    pub is_secret: bool,
}

/// A part of Windows Setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Specialize,
    OobeSystem,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Specialize => "specialize",
            Self::OobeSystem => "oobeSystem",
        }
    }
}

/// A value and its place.
struct Setting {
    pass: Pass,
    component: &'static str,
    /// Below the component; the last is the element that has the value.
    path: Vec<&'static str>,
    value: Value,
}

/// What is done with an element.
enum Value {
    /// A text.
    Text(String),
    /// A text that must not be shown.
    Secret(String),
    /// Elements instead of those that are there.
    Elements(Vec<Element>),
    /// A text, but only in files that have the element: in another pass it was set already.
    TextIfThere(String),
    /// The element is taken away.
    Absent,
}

impl AnswerFile {
    /// An empty one.
    pub fn new(architecture: Architecture) -> Self {
        Self { text: format!("<unattend xmlns=\"{UNATTEND}\">\n</unattend>\n"), architecture, secrets: Vec::new() }
    }

    /// The user's, for an image of that architecture.
    pub fn parse(bytes: &[u8], architecture: Architecture) -> Result<Self, AnswerError> {
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(AnswerError::TooLarge { size_bytes: bytes.len() });
        }
        let text = edit::decode(bytes)?;
        let document = edit::parse(&text)?;
        let root = document.root_element();
        let is_plain = text[root.range()].starts_with("<unattend");
        if root.tag_name().namespace() != Some(UNATTEND) || root.tag_name().name() != "unattend" || !is_plain {
            return Err(AnswerError::NotAnAnswerFile { found: root.tag_name().name().chars().take(80).collect() });
        }
        edit::no_component_twice(&document, architecture)?;
        Ok(Self { text, architecture, secrets: Vec::new() })
    }

    /// Puts values for `%name%` into texts. What `value_of` does not know stays: answer files name environment variables
    /// of Windows in the same way.
    pub fn expand(&mut self, value_of: &dyn Fn(&str) -> Option<Expansion>) -> Result<(), AnswerError> {
        let (text, secrets) = edit::expand(&self.text, value_of)?;
        self.text = text;
        secrets.into_iter().for_each(|place| self.note_secret(place));
        Ok(())
    }

    /// What the step Apply Windows Settings does.
    pub fn apply_windows(&mut self, settings: &WindowsSettings) -> Result<(), AnswerError> {
        settings.settings().into_iter().try_for_each(|setting| self.apply(setting))
    }

    /// What the step Apply Network Settings does.
    pub fn apply_network(&mut self, settings: &NetworkSettings) -> Result<(), AnswerError> {
        settings.settings().into_iter().try_for_each(|setting| self.apply(setting))
    }

    /// Takes out what templates leave empty to be filled and nobody filled: an empty product key ends Setup. Gives the
    /// text, in UTF-8.
    pub fn finish(mut self) -> Result<FinishedAnswerFile, AnswerError> {
        while let Some(text) = edit::without_empty(&self.text)? {
            self.text = text;
        }
        let text = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>{}{}", self.newline(), self.text.trim_start());
        Ok(FinishedAnswerFile { text, secrets: self.secrets })
    }

    fn note_secret(&mut self, place: String) {
        if !self.secrets.contains(&place) {
            self.secrets.push(place);
        }
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    fn apply(&mut self, setting: Setting) -> Result<(), AnswerError> {
        let Setting { pass, component, path, value } = setting;
        let mut steps = vec![Step::pass(pass.name()), Step::component(component, self.architecture)];
        steps.extend(path.iter().map(|name| Step::plain(name)));
        if matches!(value, Value::Secret(_)) {
            self.note_secret(format!("{}/{component}/{}", pass.name(), path.join("/")));
        }
        let changed = match value {
            Value::Text(text) | Value::Secret(text) => edit::put(&self.text, &steps, &element::Content::Text(text))?,
            Value::Elements(elements) => edit::put(&self.text, &steps, &element::Content::Elements(elements))?,
            Value::TextIfThere(text) if edit::has(&self.text, &steps)? => {
                edit::put(&self.text, &steps, &element::Content::Text(text))?
            }
            Value::TextIfThere(_) => return Ok(()),
            Value::Absent => edit::remove(&self.text, &steps)?,
        };
        self.text = changed;
        Ok(())
    }
}

/// Values are not shown.
impl std::fmt::Debug for AnswerFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnswerFile({} bytes for {})", self.text.len(), self.architecture.name())
    }
}

/// An answer file to be written to `Windows\Panther\unattend\unattend.xml`.
#[derive(Clone, PartialEq, Eq)]
pub struct FinishedAnswerFile {
    /// UTF-8, with its declaration.
    pub text: String,
    /// Places of values that were put in and must not be seen, as `pass/component/element/…`. Empty: there are none but
    /// what the user's file had.
    pub secrets: Vec<String>,
}

impl std::fmt::Debug for FinishedAnswerFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FinishedAnswerFile({} bytes, secrets at {:?})", self.text.len(), self.secrets)
    }
}

#[cfg(test)]
mod tests;
