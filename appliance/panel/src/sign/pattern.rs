// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How lights say what is the matter: by a colour where they have some, and by how they flash in any case. Pure.

/// What the light beside a port says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// There is no drive.
    Off,
    /// Somebody has to choose what becomes of the drive.
    Asks,
    /// It is being worked on: leave it.
    Works,
    /// Work is paused.
    Rests,
    /// It is good: take it.
    Good,
    /// Something has to be done, and then it may become good.
    Again,
    /// Take it, and set it aside.
    Bad,
    /// This is the port that is looked for.
    Here,
}

impl Signal {
    /// All of them.
    #[cfg(test)]
    const ALL: [Self; 8] =
        [Self::Off, Self::Asks, Self::Works, Self::Rests, Self::Good, Self::Again, Self::Bad, Self::Here];

    /// How long it takes until it begins again, and when it is lit within that, in milliseconds. No light flashes more than
    /// three times in a second, which some people can't bear (WCAG 2.2, 2.3.1).
    fn rhythm(self) -> (u64, &'static [(u64, u64)]) {
        match self {
            Self::Off => (1000, &[]),
            Self::Good => (1000, &[(0, 1000)]),
            Self::Works => (2000, &[(0, 1000)]),
            Self::Asks => (2000, &[(0, 200)]),
            Self::Rests => (4000, &[(0, 200)]),
            Self::Again => (2000, &[(0, 200), (400, 600)]),
            Self::Bad => (400, &[(0, 200)]),
            Self::Here => (2000, &[(0, 200), (400, 600), (800, 1000)]),
        }
    }

    /// Red, green, blue.
    fn colour(self) -> [bool; 3] {
        match self {
            Self::Off => [false; 3],
            Self::Asks | Self::Works | Self::Rests => [false, false, true],
            Self::Good => [false, true, false],
            Self::Again => [true, true, false],
            Self::Bad => [true, false, false],
            Self::Here => [true; 3],
        }
    }
}

/// Whether a light of one colour is on.
pub(super) fn is_lit(signal: Signal, now_ms: u64) -> bool {
    let (period_ms, parts) = signal.rhythm();
    let at = now_ms % period_ms;
    parts.iter().any(|(from, to)| (*from..*to).contains(&at))
}

/// Which lamps of a light are on that has some of red, green and blue. Where it has none of a signal's colours, all that it
/// has are lit.
pub(super) fn colours(signal: Signal, has: [bool; 3], now_ms: u64) -> [bool; 3] {
    if !is_lit(signal, now_ms) {
        return [false; 3];
    }
    let wanted = signal.colour();
    let shown: [bool; 3] = std::array::from_fn(|lamp| wanted[lamp] && has[lamp]);
    if shown.contains(&true) { shown } else { has }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On or off every ten milliseconds, for as long as the longest rhythm takes.
    fn seen(signal: Signal) -> Vec<bool> {
        (0..400).map(|at| is_lit(signal, at * 10)).collect()
    }

    #[test]
    fn signals_differ_without_colours() {
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            for other in &Signal::ALL[..at] {
                assert_ne!(seen(signal), seen(*other), "{signal:?} {other:?}");
            }
        }
    }

    #[test]
    fn nothing_flashes_more_than_three_times_in_a_second() {
        let flashes = |seen: &[bool]| seen.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        for signal in Signal::ALL {
            let seen = [seen(signal), seen(signal)].concat();
            let most = seen.windows(100).map(flashes).max();
            assert!(most <= Some(3), "{signal:?}: {most:?}");
        }
        // What is counted can be too many.
        assert!(flashes(&(0..100).map(|at| at % 20 < 10).collect::<Vec<_>>()) > 3);
    }

    #[test]
    fn a_light_without_the_right_colour_still_says_it() {
        for has in [[true; 3], [true, true, false], [true, false, false], [false, true, false], [false, false, true]] {
            for signal in Signal::ALL {
                for at in (0..4000).step_by(50) {
                    let shown = colours(signal, has, at);
                    assert_eq!(shown.contains(&true), is_lit(signal, at), "{signal:?} {has:?} {at}");
                    assert!(shown.iter().zip(has).all(|(shown, has)| !shown || has), "{signal:?} {has:?}");
                }
            }
        }
        assert_eq!(colours(Signal::Again, [true; 3], 0), [true, true, false]);
        assert_eq!(colours(Signal::Works, [true, true, false], 0), [true, true, false]);
    }
}
