// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Panels at buses that are recorded. What was sent is read back by decoders which know the controllers' data sheets and
//! none of the code here.

mod mipi;
mod oled;
mod station;

use std::sync::{Arc, Mutex};

use embedded_hal::delay::DelayNs;

/// What a bus was sent, and when it shall break.
#[derive(Debug, Default)]
struct Record<T> {
    sent: Vec<T>,
    /// So many are taken until one fails.
    left: Option<usize>,
}

/// The same bus for whoever sends and whoever looks.
#[derive(Debug)]
struct Recorded<T>(Arc<Mutex<Record<T>>>);

impl<T> Clone for Recorded<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Recorded<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Record { sent: Vec::new(), left: None })))
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().expect("whole").sent)
    }

    fn break_after(&self, left: Option<usize>) {
        self.0.lock().expect("whole").left = left;
    }

    /// Whether it arrived.
    fn send(&self, what: T) -> bool {
        let mut record = self.0.lock().expect("whole");
        let breaks = match &mut record.left {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if !breaks {
            record.sent.push(what);
        }
        !breaks
    }
}

/// Nobody waits in tests.
struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}
