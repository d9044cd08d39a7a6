// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What is heard. Tunes are tables; a thread plays them, and is silent when it is done.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use evdev::raw_stream::{RawDevice, enumerate};
use evdev::{EventType, InputEvent, SoundCode};

use crate::board;
use crate::pin::Pin;

/// What is to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tune {
    /// A drive is good.
    Good,
    /// A drive is to be set aside.
    Bad,
    /// All drives of a batch are made.
    Over,
    /// Whether the buzzer works.
    Test,
}

/// How high a tone is, in hertz, or 0 for silence; and for how many milliseconds.
type Note = (u32, u64);

impl Tune {
    /// They differ without their pitch, for buzzers that have one of their own.
    fn notes(self) -> &'static [Note] {
        match self {
            Self::Good => &[(2000, 80)],
            Self::Bad => &[(700, 250), (0, 120), (700, 250), (0, 120), (700, 250)],
            Self::Over => &[(1500, 150), (0, 60), (2000, 400)],
            Self::Test => &[(1000, 500)],
        }
    }
}

/// The board's buzzer.
#[derive(Debug)]
pub struct Buzzer {
    play: SyncSender<Tune>,
}

impl Buzzer {
    /// Its thread ends with it.
    pub fn start(buzzer: board::Buzzer) -> io::Result<Self> {
        // Who is behind with two tunes need not hear a third.
        let (play, tunes) = sync_channel(1);
        let named = std::thread::Builder::new().name("panel-buzzer".to_owned());
        named.spawn(move || {
            let mut said = String::new();
            for tune in tunes {
                if let Err(error) = sound(&buzzer, tune) {
                    let text = error.to_string();
                    if said != text {
                        tracing::warn!("nothing is heard from the buzzer: {text}");
                        said = text;
                    }
                }
            }
        })?;
        Ok(Self { play })
    }

    /// Begin a tune, unless there are too many.
    pub fn play(&self, tune: Tune) {
        // Whoever is not heard has nothing to do about it.
        let _ = self.play.try_send(tune);
    }
}

/// Opened for each tune: what makes the sound may be plugged in late.
fn sound(buzzer: &board::Buzzer, tune: Tune) -> io::Result<()> {
    match buzzer {
        board::Buzzer::Evdev(name) => {
            let mut device = speaker(name.as_deref())?;
            play(tune, |hz| {
                device.send_events(&[InputEvent::new(EventType::SOUND.0, SoundCode::SND_TONE.0, hz as i32)])
            })
        }
        board::Buzzer::Pwm(chip, channel) => {
            let folder = chip.join(format!("pwm{channel}"));
            if !folder.exists() {
                fs::write(chip.join("export"), channel.to_string())?;
            }
            play(tune, |hz| {
                let is_fresh = fs::read_to_string(folder.join("period"))?.trim() == "0";
                let mut pulses = pulses(hz, is_fresh).into_iter();
                pulses.try_for_each(|(file, value)| fs::write(folder.join(file), value.to_string()))
            })
        }
        board::Buzzer::Line(line) => {
            let pin = Pin::output(line, false).map_err(|error| io::Error::other(error.chain()))?;
            play(tune, |hz| pin.set(hz > 0))
        }
    }
}

fn play(tune: Tune, mut set: impl FnMut(u32) -> io::Result<()>) -> io::Result<()> {
    let played = tune.notes().iter().try_for_each(|(hz, ms)| {
        set(*hz)?;
        std::thread::sleep(Duration::from_millis(*ms));
        Ok(())
    });
    // Whatever happened: it does not go on for ever.
    played.and(set(0))
}

fn speaker(name: Option<&str>) -> io::Result<RawDevice> {
    let is_meant = |device: &RawDevice| {
        let can = device.supported_sounds().is_some_and(|sounds| sounds.contains(SoundCode::SND_TONE));
        can && name.is_none_or(|name| device.name().is_some_and(|own| own.contains(name)))
    };
    let found = enumerate().map(|(_, device)| device).find(is_meant);
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no input device can make tones"))
}

/// What a channel's files are told for a tone. The kernel refuses a period that is shorter than the pulse in it, and any
/// pulse at all where there was no period yet.
fn pulses(hz: u32, is_fresh: bool) -> Vec<(&'static Path, u64)> {
    let file = |name: &'static str| Path::new(name);
    let Some(period_ns) = 1_000_000_000u64.checked_div(hz.into()) else { return vec![(file("enable"), 0)] };
    let none = (!is_fresh).then_some((file("duty_cycle"), 0));
    let tone = [(file("period"), period_ns), (file("duty_cycle"), period_ns / 2), (file("enable"), 1)];
    none.into_iter().chain(tone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Tune; 4] = [Tune::Good, Tune::Bad, Tune::Over, Tune::Test];

    #[test]
    fn tunes_differ_without_their_pitch_and_are_short() {
        let rhythm = |tune: Tune| tune.notes().iter().map(|(hz, ms)| (*hz > 0, *ms)).collect::<Vec<_>>();
        for (at, tune) in ALL.into_iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| rhythm(*other) != rhythm(tune)), "{tune:?}");
            assert!(tune.notes().iter().map(|(_, ms)| ms).sum::<u64>() < 1500, "{tune:?}");
        }
    }

    #[test]
    fn a_tune_ends_in_silence_whatever_happens() {
        let mut heard = Vec::new();
        play(Tune::Good, |hz| {
            heard.push(hz);
            Ok(())
        })
        .expect("plays");
        assert_eq!(heard, [2000, 0]);
        let mut heard = Vec::new();
        let failed = play(Tune::Over, |hz| {
            heard.push(hz);
            if hz == 1500 { Err(io::Error::other("gone")) } else { Ok(()) }
        });
        assert_eq!((failed.map_err(|error| error.to_string()), heard), (Err("gone".to_owned()), vec![1500, 0]));
    }

    /// As the kernel takes it (`pwm_apply_state`): there is a period, and no pulse is longer than it.
    #[test]
    fn the_kernel_takes_every_pulse() {
        let (mut period, mut duty) = (0, 0);
        for hz in [700, 2000, 0, 20, 20_000] {
            for (file, value) in pulses(hz, period == 0) {
                match file.to_str() {
                    Some("period") => period = value,
                    Some("duty_cycle") => duty = value,
                    _ => {}
                }
                assert!(period > 0 && duty <= period, "{hz}: {duty} of {period}");
            }
        }
        assert_eq!((period, duty), (50_000, 25_000));
        assert_eq!(pulses(0, false), [(Path::new("enable"), 0)]);
    }
}
