// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Screens, serial lines and keyboards: all of them at once, through the kernel's terminals and input devices.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, tcgetattr, tcsetattr};
use platen_media::keyboard::{KeyPress, Keyboard, Typing};
use rustix::termios::tcgetwinsize;

use crate::screen::{Console, KEYBOARD_CHANGED, Typed};

/// A terminal that takes nothing for so long is not read by anyone.
const WRITE_WITHIN_MS: u16 = 5_000;
/// How often new keyboards are looked for while somebody is waited for.
const LOOK_AGAIN_MS: u16 = 500;
const INPUT: &str = "/dev/input";

/// One screen or serial line.
struct Terminal {
    file: File,
    /// A screen's font has few letters, and its keys are better read from the keyboards themselves.
    is_screen: bool,
    /// It took what was written to it so far.
    writes: bool,
    /// Something may still be typed on it.
    reads: bool,
}

/// All consoles of the kernel, and all keyboards.
pub(crate) struct Terminals {
    terminals: Vec<Terminal>,
    keyboards: BTreeMap<PathBuf, File>,
    typing: Typing,
    /// Typed on a keyboard and not asked for yet.
    typed: VecDeque<u8>,
    has_page: bool,
}

impl Terminals {
    pub(crate) fn open() -> Self {
        let active = std::fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let terminals = console_names(&active).iter().filter_map(|path| open_terminal(path).ok()).collect();
        Self {
            terminals,
            keyboards: BTreeMap::new(),
            typing: Typing::default(),
            typed: VecDeque::new(),
            has_page: false,
        }
    }

    /// Opens keyboards that were not there before. Other input devices among them type nothing.
    fn find_keyboards(&mut self) {
        for entry in std::fs::read_dir(INPUT).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b"event") && !self.keyboards.contains_key(&path) {
                let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path);
                self.keyboards.extend(opened.ok().map(|file| (path, file)));
            }
        }
    }

    /// Takes in what one keyboard has to say; false when it is gone.
    fn hear(keyboard: &mut File, typing: &mut Typing, typed: &mut VecDeque<u8>) -> bool {
        // The kernel's `struct input_event`: the time (16 bytes), type, code, value.
        let mut event = [0; 24];
        loop {
            match keyboard.read(&mut event) {
                Ok(24) => {}
                Ok(_) => return false,
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
            const KEY: u16 = 1;
            let half = |at: usize| u16::from_le_bytes([event[at], event[at + 1]]);
            if half(16) == KEY {
                let before = typing.keyboard;
                typed.extend(typing.press(KeyPress { code: half(18), is_down: half(20) != 0 }).bytes());
                if typing.keyboard != before {
                    typed.push_back(KEYBOARD_CHANGED);
                }
            }
        }
    }
}

/// The devices to open for the kernel's list of active consoles; screen and first serial line when there is none.
fn console_names(active: &str) -> Vec<PathBuf> {
    let mut names: Vec<&str> = active.split_whitespace().collect();
    if names.is_empty() {
        names = vec!["tty0", "ttyS0"];
    }
    // tty0 is whichever screen is shown; we stay on the first whatever keys are pressed.
    names.iter().map(|&name| Path::new("/dev").join(if name == "tty0" { "tty1" } else { name })).collect()
}

fn is_screen(path: &Path) -> bool {
    let number = path.to_str().and_then(|path| path.strip_prefix("/dev/tty"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Opens one without waiting for a modem, and takes echo, line editing and flow control out: what is typed is shown by
/// us or not at all, and a stray Control-S must not stop us.
fn open_terminal(path: &Path) -> Result<Terminal, std::io::Error> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags.bits()).open(path)?;
    let mut settings = tcgetattr(&file)?;
    settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN);
    settings.input_flags.remove(InputFlags::IXON | InputFlags::IXOFF | InputFlags::IXANY);
    tcsetattr(&file, SetArg::TCSANOW, &settings)?;
    Ok(Terminal { file, is_screen: is_screen(path), writes: true, reads: true })
}

impl Terminal {
    fn write(&mut self, mut bytes: &[u8]) {
        while self.writes && !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    let mut ready = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
                    self.writes = poll(&mut ready, PollTimeout::from(WRITE_WITHIN_MS)).is_ok_and(|count| count > 0);
                }
                Err(_) => self.writes = false,
            }
        }
    }
}

impl Console for Terminals {
    fn print(&mut self, text: &str, on_screens: &str) {
        for terminal in &mut self.terminals {
            let text = if terminal.is_screen { on_screens } else { text };
            terminal.write(text.as_bytes());
        }
    }

    fn columns(&self) -> Option<usize> {
        // A serial line does not know what is at its other end, and says zero.
        let columns = |terminal: &Terminal| tcgetwinsize(&terminal.file).map_or(0, |size| usize::from(size.ws_col));
        self.terminals.iter().map(columns).filter(|&columns| columns > 0).min()
    }

    fn screen_size(&self) -> Option<(usize, usize)> {
        let screens = self.terminals.iter().filter(|terminal| terminal.is_screen && terminal.writes);
        let sizes = screens.filter_map(|terminal| tcgetwinsize(&terminal.file).ok());
        sizes.map(|size| (usize::from(size.ws_col), usize::from(size.ws_row))).min()
    }

    fn has_page(&mut self) -> &mut bool {
        &mut self.has_page
    }

    fn read_byte(&mut self, until: Option<Instant>) -> Typed {
        loop {
            if let Some(byte) = self.typed.pop_front() {
                return Typed::Byte(byte);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Typed::TimeUp;
            }
            self.find_keyboards();
            let has_keyboards = !self.keyboards.is_empty();
            let mut open: Vec<&mut Terminal> = self.terminals.iter_mut().filter(|terminal| terminal.reads).collect();
            if open.is_empty() && !has_keyboards {
                // A keyboard may still come, as long as there is a limit to waiting for one.
                if until.is_none() {
                    return Typed::Nobody;
                }
                sleep(Duration::from_millis(u64::from(LOOK_AGAIN_MS)));
                continue;
            }
            let terminals = open.iter().map(|terminal| terminal.file.as_fd());
            let mut ready: Vec<PollFd<'_>> = terminals
                .chain(self.keyboards.values().map(AsFd::as_fd))
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
                .collect();
            let _ = poll(&mut ready, PollTimeout::from(LOOK_AGAIN_MS));
            let ready: Vec<bool> = ready.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            let (of_terminals, of_keyboards) = ready.split_at(open.len());
            let mut of_keyboards = of_keyboards.iter();
            self.keyboards.retain(|_, keyboard| {
                !of_keyboards.next().is_some_and(|&ready| ready)
                    || Self::hear(keyboard, &mut self.typing, &mut self.typed)
            });
            for (terminal, _) in open.iter_mut().zip(of_terminals).filter(|&(_, &ready)| ready) {
                let mut byte = [0];
                match terminal.file.read(&mut byte) {
                    // A screen's terminal repeats what its keyboards said already, as if they were American.
                    Ok(1) if terminal.is_screen && has_keyboards => {}
                    Ok(1) => return Typed::Byte(byte[0]),
                    Err(error)
                        if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {
                    }
                    // Hung up, or a serial line that is not there.
                    _ => terminal.reads = false,
                }
            }
        }
    }

    fn keyboard(&mut self) -> Keyboard {
        self.find_keyboards();
        self.typing.keyboard
    }

    fn set_keyboard(&mut self, keyboard: Keyboard) {
        self.typing.keyboard = keyboard;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_the_first_and_there_is_always_one() {
        let names = |active: &str| console_names(active).iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names("tty0 ttyS0\n"), ["/dev/tty1", "/dev/ttyS0"]);
        assert_eq!(names(""), ["/dev/tty1", "/dev/ttyS0"]);
        assert!(is_screen(Path::new("/dev/tty1")));
        assert!(!is_screen(Path::new("/dev/ttyS0")) && !is_screen(Path::new("/dev/hvc0")));
    }

    #[test]
    fn keys_are_read_from_input_events() {
        let mut bytes = Vec::new();
        let mut event = |kind: u16, code: u16, value: u32| {
            bytes.extend([0; 16]);
            bytes.extend(kind.to_le_bytes());
            bytes.extend(code.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        };
        // A scan code, Y down and up on a German keyboard (the key with Z in America), a synchronisation.
        for (kind, code, value) in [(4, 4, 44), (1, 44, 1), (0, 0, 0), (1, 44, 0), (1, 28, 1)] {
            event(kind, code, value);
        }
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        std::io::Seek::rewind(&mut file).expect("rewound");
        let (mut typing, mut typed) = (Typing::default(), VecDeque::new());
        typing.keyboard = Keyboard::De;
        assert!(!Terminals::hear(&mut file, &mut typing, &mut typed), "the end of a file stands for a pulled keyboard");
        assert_eq!(Vec::from(typed), b"y\r");
    }
}
