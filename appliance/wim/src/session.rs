// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! One operation of libwim at a time, with its messages and its progress.
//!
//! libwim's messages go to one place for the whole process, and a warning can't be seen any other way. So a
//! [`Session`] holds a process-wide lock: every message read belongs to the operation that just ran, and success with
//! a warning becomes an error.

use std::any::Any;
use std::ffi::{CStr, CString, c_int, c_void};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use crate::WimError;
use crate::ffi;

/// `(done, total)` bytes of the current pass; an operation may make several, one after the other.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

struct Library {
    /// What `wimlib_global_init` returned, once for the process.
    status: c_int,
    /// Where libwim prints.
    messages: io::Result<File>,
}

static LIBRARY: LazyLock<Mutex<Library>> = LazyLock::new(|| {
    // SAFETY: the first call of the library, made once; 0 asks for nothing special.
    let status = unsafe { ffi::wimlib_global_init(0) };
    Mutex::new(Library { status, messages: collect_messages() })
});

/// Let libwim print to a file in memory.
fn collect_messages() -> io::Result<File> {
    // SAFETY: the name is NUL-terminated; a failure is a negative number.
    let fd = unsafe { ffi::memfd_create(c"libwim messages".as_ptr(), ffi::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open and nobody else's.
    let file = unsafe { File::from_raw_fd(fd) };
    let copy = file.try_clone()?;
    // SAFETY: the descriptor is open; "a" makes every write go to the end, also after it was emptied.
    let stream = unsafe { ffi::fdopen(copy.as_raw_fd(), c"a".as_ptr()) };
    if stream.is_null() {
        return Err(io::Error::last_os_error());
    }
    // The stream owns it now, for as long as the process lives.
    let _ = copy.into_raw_fd();
    // SAFETY: the stream is open and is never closed. libwim flushes after each message.
    unsafe { ffi::wimlib_set_error_file(stream) };
    Ok(file)
}

struct Context<'p> {
    progress: Progress<'p>,
    panic: Option<Box<dyn Any + Send>>,
}

/// The right to call libwim.
pub(crate) struct Session<'p> {
    context: NonNull<Context<'p>>,
    messages: File,
    _library: MutexGuard<'static, Library>,
}

impl<'p> Session<'p> {
    /// Waits until no other thread uses libwim. `progress` must not use this crate.
    pub(crate) fn begin(progress: Progress<'p>) -> Result<Self, WimError> {
        let library = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        let here = Path::new("libwim");
        if library.status != 0 {
            return Err(WimError::from_code(library.status, "", "starting", here));
        }
        let messages = match &library.messages {
            Ok(file) => file.try_clone(),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        let messages = messages.map_err(WimError::io("collecting the messages of", here))?;
        let context = NonNull::from(Box::leak(Box::new(Context { progress, panic: None })));
        Ok(Self { context, messages, _library: library })
    }

    /// Run calls of libwim; gives the status and what was printed.
    pub(crate) fn attempt(&self, call: impl FnOnce() -> c_int) -> (c_int, String) {
        self.take_messages();
        let status = call();
        // SAFETY: the context lives as long as the session, and no callback runs now.
        if let Some(panic) = unsafe { (*self.context.as_ptr()).panic.take() } {
            resume_unwind(panic);
        }
        (status, self.take_messages())
    }

    /// Run calls of libwim that concern `path`. A warning is a failure.
    pub(crate) fn run(&self, doing: &'static str, path: &Path, call: impl FnOnce() -> c_int) -> Result<(), WimError> {
        match self.attempt(call) {
            (0, text) if text.is_empty() => Ok(()),
            (0, text) => Err(WimError::Warned { doing, path: path.to_owned(), text }),
            (code, text) => Err(WimError::from_code(code, &text, doing, path)),
        }
    }

    fn take_messages(&self) -> String {
        let size = self.messages.metadata().map_or(0, |metadata| metadata.len());
        if size == 0 {
            return String::new();
        }
        // Damage can make libwim print a line for each of very many files.
        let mut bytes = vec![0; size.min(4096) as usize];
        let read = self.messages.read_at(&mut bytes, 0).unwrap_or(0);
        bytes.truncate(read);
        let _ = self.messages.set_len(0);
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty());
        let plain = lines.map(|line| line.trim_start_matches("[ERROR] ").trim_start_matches("[WARNING] "));
        plain.collect::<Vec<_>>().join("; ")
    }

    /// Open a WIM. With `check_integrity` its integrity table, if it has one, is checked.
    pub(crate) fn open(&self, path: &Path, check_integrity: bool) -> Result<Wim<'_>, WimError> {
        let metadata = std::fs::metadata(path).map_err(WimError::io("opening", path))?;
        if !metadata.is_file() || metadata.len() == 0 {
            let found = if metadata.is_file() { "an empty file" } else { "not a regular file" };
            return Err(WimError::NotAWim { path: path.to_owned(), found: found.to_owned() });
        }
        let wim = self.open_with(path, 0)?;
        if check_integrity && wim.info().flags & ffi::INFO_HAS_INTEGRITY_TABLE != 0 {
            drop(wim);
            return self.open_with(path, ffi::OPEN_CHECK_INTEGRITY);
        }
        Ok(wim)
    }

    fn open_with(&self, path: &Path, flags: c_int) -> Result<Wim<'_>, WimError> {
        let c_path = c_path(path)?;
        let mut raw = ptr::null_mut();
        // SAFETY: the strings and the place for the handle outlive the call; the context outlives the handle.
        self.run("opening", path, || unsafe {
            ffi::wimlib_open_wim_with_progress(
                c_path.as_ptr(),
                flags,
                &raw mut raw,
                Some(on_progress),
                self.context.as_ptr().cast(),
            )
        })?;
        self.handle(raw, path)
    }

    /// A new WIM in memory. `path` is where it will be written, for messages.
    pub(crate) fn create(&self, compression: c_int, path: &Path) -> Result<Wim<'_>, WimError> {
        let mut raw = ptr::null_mut();
        // SAFETY: the place for the handle outlives the call.
        self.run("creating", path, || unsafe { ffi::wimlib_create_new_wim(compression, &raw mut raw) })?;
        let wim = self.handle(raw, path)?;
        // SAFETY: the handle is open and the context outlives it.
        unsafe {
            ffi::wimlib_register_progress_function(wim.raw(), Some(on_progress), self.context.as_ptr().cast());
        }
        Ok(wim)
    }

    fn handle(&self, raw: *mut ffi::WimStruct, path: &Path) -> Result<Wim<'_>, WimError> {
        let raw = NonNull::new(raw).ok_or_else(|| WimError::Other {
            doing: "opening",
            path: path.to_owned(),
            code: 0,
            text: "no handle".to_owned(),
        })?;
        Ok(Wim { raw, _session: PhantomData })
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `Box::leak` in `begin`; every handle that knew it borrowed this session and is gone.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

/// A WIM handle of libwim, for one operation only: a second one on the same handle after `split` wrote a WIM without
/// its data and reported success (seen in 1.13.6 and 1.14.4).
pub(crate) struct Wim<'s> {
    raw: NonNull<ffi::WimStruct>,
    _session: PhantomData<&'s ()>,
}

impl Wim<'_> {
    /// For the calls. Valid as long as `self`.
    pub(crate) fn raw(&self) -> *mut ffi::WimStruct {
        self.raw.as_ptr()
    }

    /// What the header says.
    pub(crate) fn info(&self) -> ffi::Info {
        let mut info = ffi::Info::default();
        // SAFETY: the handle is open and the structure is the library's (see the tests); it always succeeds.
        unsafe { ffi::wimlib_get_wim_info(self.raw(), &raw mut info) };
        info
    }

    /// One string of the XML data.
    pub(crate) fn property(&self, image: u32, name: &CStr) -> Option<String> {
        let image = c_int::try_from(image).ok()?;
        // SAFETY: the handle is open and the name NUL-terminated; an unknown image gives null.
        let value = unsafe { ffi::wimlib_get_image_property(self.raw(), image, name.as_ptr()) };
        // SAFETY: not null, NUL-terminated, and copied before the library is called again.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
    }

    /// Number of resources in the lookup table, and how many of them are solid.
    pub(crate) fn resources(&self) -> (u64, u64) {
        unsafe extern "C" fn count(resource: *const ffi::Resource, context: *mut c_void) -> c_int {
            // SAFETY: libwim passes a valid entry, and the context given below.
            let (resource, counts) = unsafe { (&*resource, &mut *context.cast::<(u64, u64)>()) };
            counts.0 += 1;
            counts.1 += u64::from(resource.flags & ffi::RESOURCE_PACKED != 0);
            0
        }
        let mut counts = (0, 0);
        // SAFETY: the handle is open; the callback is called during this call only and does not unwind.
        unsafe { ffi::wimlib_iterate_lookup_table(self.raw(), 0, count, (&raw mut counts).cast()) };
        counts
    }
}

impl Drop for Wim<'_> {
    fn drop(&mut self) {
        // SAFETY: opened by libwim and freed once; the session's lock is still held.
        unsafe { ffi::wimlib_free(self.raw()) };
    }
}

unsafe extern "C" fn on_progress(message: c_int, info: *mut c_void, context: *mut c_void) -> c_int {
    // SAFETY: the structure each message comes with is fixed by wimlib.h, and libwim passes a valid one.
    let bytes = unsafe {
        match message {
            ffi::MSG_WRITE_STREAMS => {
                let info = &*info.cast::<ffi::WriteStreams>();
                (info.completed_bytes, info.total_bytes)
            }
            ffi::MSG_EXTRACT_STREAMS => {
                let info = &*info.cast::<ffi::Extract>();
                (info.completed_bytes, info.total_bytes)
            }
            ffi::MSG_VERIFY_INTEGRITY | ffi::MSG_CALC_INTEGRITY => {
                let info = &*info.cast::<ffi::Integrity>();
                (info.completed_bytes, info.total_bytes)
            }
            ffi::MSG_VERIFY_STREAMS => {
                let info = &*info.cast::<ffi::VerifyStreams>();
                (info.completed_bytes, info.total_bytes)
            }
            _ => return ffi::STATUS_CONTINUE,
        }
    };
    // SAFETY: the context of the session whose handle this is; libwim calls from the thread that called it.
    let context = unsafe { &mut *context.cast::<Context<'_>>() };
    // A panic must not unwind through C; it goes on in `attempt`.
    match catch_unwind(AssertUnwindSafe(|| (context.progress)(bytes.0, bytes.1))) {
        Ok(()) => ffi::STATUS_CONTINUE,
        Err(panic) => {
            context.panic = Some(panic);
            ffi::STATUS_ABORT
        }
    }
}

/// As C wants it. A path with a NUL byte can't exist.
pub(crate) fn c_path(path: &Path) -> Result<CString, WimError> {
    let found = |error: std::ffi::NulError| WimError::io("naming", path)(error.into());
    CString::new(path.as_os_str().as_bytes()).map_err(found)
}
