// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! An opened hive.

use std::ffi::{CStr, CString, c_char, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use platen_windows::registry::{Action, Change, Data, MAX_DATA_BYTES, REG_DWORD};

use crate::HiveError;
use crate::ffi::{self, Offset};

/// A hive in memory. Nothing is written before [`Session::commit`].
pub(crate) struct Session {
    handle: *mut ffi::HiveHandle,
}

/// A value as it is read and written.
struct Value {
    name: CString,
    data: Data,
}

impl Session {
    /// `path` is a copy of `hive`, which is what people know.
    pub(crate) fn open(path: &Path, hive: &Path) -> Result<Self, HiveError> {
        let text = c_path(path)?;
        // SAFETY: a string that ends with a zero, and a flag of the header.
        let handle = unsafe { ffi::hivex_open(text.as_ptr(), ffi::OPEN_WRITE) };
        match handle.is_null() {
            false => Ok(Self { handle }),
            true => Err(HiveError::NotAHive { path: hive.to_owned(), source: io::Error::last_os_error() }),
        }
    }

    /// Writes what was changed to the file that was opened.
    pub(crate) fn commit(self, path: &Path) -> Result<(), HiveError> {
        let text = c_path(path)?;
        // SAFETY: the handle is open; a string that ends with a zero; there are no flags.
        match unsafe { ffi::hivex_commit(self.handle, text.as_ptr(), 0) } {
            0 => Ok(()),
            _ => Err(HiveError::io("writing", path)(io::Error::last_os_error())),
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) -> Result<(), HiveError> {
        let key = self.with_control_set(&change.key)?;
        match &change.action {
            Action::CreateKey => self.create(&key).map(drop),
            Action::DeleteKey => match self.find(&key)? {
                // The root stays.
                Some(_) if key.is_empty() => Ok(()),
                Some(node) => {
                    // SAFETY: the handle is open, and hivex checks the offset.
                    let status = unsafe { ffi::hivex_node_delete_child(self.handle, node) };
                    if status == 0 { Ok(()) } else { Err(failed("deleting the key", &key)) }
                }
                None => Ok(()),
            },
            Action::SetValue { name, data } => {
                let node = self.create(&key)?;
                let mut values = self.values(node, &key)?;
                let value = Value { name: c_name(name)?, data: data.clone() };
                match values.iter_mut().find(|it| is_named(&it.name, name)) {
                    // The name stays as it is written there.
                    Some(old) => old.data = value.data,
                    None => values.push(value),
                }
                self.set_values(node, &key, &values)
            }
            Action::DeleteValue { name } => {
                let Some(node) = self.find(&key)? else { return Ok(()) };
                let mut values = self.values(node, &key)?;
                let before = values.len();
                values.retain(|it| !is_named(&it.name, name));
                if values.len() == before { Ok(()) } else { self.set_values(node, &key, &values) }
            }
            Action::DeleteAllValues => match self.find(&key)? {
                Some(node) => self.set_values(node, &key, &[]),
                None => Ok(()),
            },
        }
    }

    /// `CurrentControlSet` is made by Windows when it starts, from what `Select\Current` says.
    fn with_control_set(&self, key: &str) -> Result<String, HiveError> {
        const CURRENT: &str = "CurrentControlSet";
        let (first, rest) = key.split_once('\\').map_or((key, None), |(first, rest)| (first, Some(rest)));
        if !first.eq_ignore_ascii_case(CURRENT) {
            return Ok(key.to_owned());
        }
        let values = match self.find("Select")? {
            Some(select) => self.values(select, "Select")?,
            None => Vec::new(),
        };
        let current = values.iter().find(|it| is_named(&it.name, "Current")).map(|it| &it.data);
        let number = match current {
            Some(Data { kind: REG_DWORD, bytes }) => <[u8; 4]>::try_from(&**bytes).ok().map(u32::from_le_bytes),
            _ => None,
        };
        match number {
            Some(number @ 1..=999) => {
                Ok(format!("ControlSet{number:03}") + &rest.map(|rest| format!("\\{rest}")).unwrap_or_default())
            }
            Some(number) => Err(HiveError::NoControlSet { found: number.to_string() }),
            None => Err(HiveError::NoControlSet { found: "none".to_owned() }),
        }
    }

    /// The key, if it is there.
    fn find(&self, key: &str) -> Result<Option<Offset>, HiveError> {
        let mut node = self.root()?;
        for name in names(key) {
            match self.child(node, name, key)? {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The key, made with those above it if need be.
    fn create(&mut self, key: &str) -> Result<Offset, HiveError> {
        let mut node = self.root()?;
        for name in names(key) {
            node = match self.child(node, name, key)? {
                Some(child) => child,
                None => {
                    let text = c_name(name)?;
                    // SAFETY: the handle is open, hivex checks the offset, and the string ends with a zero.
                    match unsafe { ffi::hivex_node_add_child(self.handle, node, text.as_ptr()) } {
                        0 => return Err(failed("making the key", key)),
                        child => child,
                    }
                }
            };
        }
        Ok(node)
    }

    fn root(&self) -> Result<Offset, HiveError> {
        // SAFETY: the handle is open.
        match unsafe { ffi::hivex_root(self.handle) } {
            0 => Err(failed("finding the root", "")),
            root => Ok(root),
        }
    }

    /// hivex compares ASCII letters only and does not tell "none" from a failure, so names are compared here.
    fn child(&self, node: Offset, name: &str, key: &str) -> Result<Option<Offset>, HiveError> {
        let doing = "looking for the key";
        // SAFETY: the handle is open, and hivex checks the offset.
        let children =
            offsets(unsafe { ffi::hivex_node_children(self.handle, node) }).ok_or_else(|| failed(doing, key))?;
        for child in children {
            // SAFETY: the same.
            let found = taken(unsafe { ffi::hivex_node_name(self.handle, child) }).ok_or_else(|| failed(doing, key))?;
            if is_named(&found, name) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    fn values(&self, node: Offset, key: &str) -> Result<Vec<Value>, HiveError> {
        let lost = || failed("reading the values of", key);
        // SAFETY: the handle is open, and hivex checks the offset.
        let found = offsets(unsafe { ffi::hivex_node_values(self.handle, node) }).ok_or_else(lost)?;
        let value = |offset: Offset| {
            // SAFETY: the same.
            let name = taken(unsafe { ffi::hivex_value_key(self.handle, offset) }).ok_or_else(lost)?;
            let (mut kind, mut len) = (0, 0);
            // SAFETY: the same; both places are valid for the call.
            let bytes = unsafe { ffi::hivex_value_value(self.handle, offset, &raw mut kind, &raw mut len) };
            if bytes.is_null() {
                return Err(lost());
            }
            // SAFETY: not null, and hivex says that it allocated so many bytes.
            let data = Data { kind, bytes: unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), len) }.to_vec() };
            // SAFETY: hivex gave it to us to free, and nothing refers to it any more.
            unsafe { ffi::free(bytes.cast()) };
            // hivex would write it back in one piece, which Windows does not read.
            if data.bytes.len() > MAX_DATA_BYTES {
                let source = io::Error::other(format!("it has a value of {} bytes", data.bytes.len()));
                return Err(HiveError::Change {
                    doing: "changing values beside a big one in",
                    key: key.to_owned(),
                    source,
                });
            }
            Ok(Value { name, data })
        };
        found.into_iter().map(value).collect()
    }

    fn set_values(&mut self, node: Offset, key: &str, values: &[Value]) -> Result<(), HiveError> {
        // hivex reads through its pointers to mutable memory, and writes nothing.
        let raw: Vec<ffi::SetValue> = values
            .iter()
            .map(|it| ffi::SetValue {
                key: it.name.as_ptr().cast_mut(),
                kind: it.data.kind,
                len: it.data.bytes.len(),
                value: it.data.bytes.as_ptr().cast::<c_char>().cast_mut(),
            })
            .collect();
        // SAFETY: the handle is open, hivex checks the offset; the list and all that it points to outlive the call.
        match unsafe { ffi::hivex_node_set_values(self.handle, node, raw.len(), raw.as_ptr(), 0) } {
            0 => Ok(()),
            _ => Err(failed("writing the values of", key)),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and this is its end.
        unsafe { ffi::hivex_close(self.handle) };
    }
}

/// The names on the way to a key.
fn names(key: &str) -> impl Iterator<Item = &str> {
    key.split('\\').filter(|name| !name.is_empty())
}

/// The registry does not tell capitals from small letters.
fn is_named(found: &CStr, name: &str) -> bool {
    found.to_str().is_ok_and(|found| found == name || found.to_uppercase() == name.to_uppercase())
}

fn failed(doing: &'static str, key: &str) -> HiveError {
    HiveError::Change { doing, key: key.chars().take(200).collect(), source: io::Error::last_os_error() }
}

fn c_name(name: &str) -> Result<CString, HiveError> {
    CString::new(name).map_err(|_| HiveError::Zero { name: name.chars().take(80).collect() })
}

fn c_path(path: &Path) -> Result<CString, HiveError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| HiveError::Zero { name: path.display().to_string() })
}

/// A list of hivex, which ends with 0; none if it failed.
fn offsets(list: *mut Offset) -> Option<Vec<Offset>> {
    if list.is_null() {
        return None;
    }
    let mut found = Vec::new();
    let mut at = list;
    loop {
        // SAFETY: the list ends with 0, and nothing behind it is read.
        match unsafe { at.read() } {
            0 => break,
            offset => found.push(offset),
        }
        // SAFETY: what was read is not the end.
        at = unsafe { at.add(1) };
    }
    free(list.cast());
    Some(found)
}

/// A string of hivex; none if it failed.
fn taken(text: *mut c_char) -> Option<CString> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and hivex's strings end with a zero.
    let owned = unsafe { CStr::from_ptr(text) }.to_owned();
    free(text.cast());
    Some(owned)
}

fn free(pointer: *mut c_void) {
    debug_assert_ne!(pointer, ptr::null_mut());
    // SAFETY: only called here above, with what hivex gave us to free and nobody uses any more.
    unsafe { ffi::free(pointer) };
}
