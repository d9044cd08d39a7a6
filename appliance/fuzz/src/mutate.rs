// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Bytes like good ones, and a little different: the same for the same seed.

/// Numbers at which readers go wrong.
const EDGES: [u64; 10] = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Makes inputs out of samples.
pub struct Mutator {
    state: u64,
    samples: Vec<Vec<u8>>,
    /// Words of the samples, for formats that are text.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// Starting from these.
    pub fn new(seed: u64, samples: Vec<Vec<u8>>) -> Self {
        assert!(samples.iter().any(|sample| !sample.is_empty()), "nothing to start from");
        let words = |sample: &Vec<u8>| {
            let words = sample.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-');
            words.filter(|word| (1..40).contains(&word.len())).take(2000).map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let mut words: Vec<Vec<u8>> = samples.iter().flat_map(words).collect();
        words.sort();
        words.dedup();
        Self { state: seed | 1, samples, words }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let at = self.below(self.samples.len());
        let mut input = self.samples[at].clone();
        for _ in 0..=self.below(3) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len().max(1));
        let len = 1 + self.below(16);
        let end = (at + len).min(input.len());
        match self.below(8) {
            _ if input.is_empty() => input.push(self.next() as u8),
            0 => input[at] ^= 1 << self.below(8),
            1 => input[at] = self.next() as u8,
            2 => {
                let size = [1, 2, 4, 8][self.below(4)];
                let edge = EDGES[self.below(EDGES.len())].to_le_bytes();
                let end = (at + size).min(input.len());
                input[at..end].copy_from_slice(&edge[..end - at]);
            }
            3 => drop(input.drain(at..end)),
            4 => {
                let copied = input[at..end].to_vec();
                input.splice(at..at, copied);
            }
            5 => {
                let other = self.below(self.samples.len());
                let from = self.below(self.samples[other].len().max(1));
                let piece: Vec<u8> = self.samples[other].iter().skip(from).take(len).copied().collect();
                let end = (at + piece.len()).min(input.len());
                input.splice(at..end, piece);
            }
            6 if !self.words.is_empty() => self.change_word(input, at),
            _ => {
                let keep = input.len() - self.below(input.len().min(64));
                input.truncate(keep);
            }
        }
    }

    /// Put another word in the place of one.
    fn change_word(&mut self, input: &mut Vec<u8>, at: usize) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        let Some(start) = input[at..].iter().position(is_word).map(|from| at + from) else { return };
        let len = input[start..].iter().position(|byte| !is_word(byte)).unwrap_or(input.len() - start);
        let word = match self.below(4) {
            0 => EDGES[self.below(EDGES.len())].to_string().into_bytes(),
            _ => {
                let at = self.below(self.words.len());
                self.words[at].clone()
            }
        };
        input.splice(start..start + len, word);
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_they_differ() {
        let samples = || vec![b"kind = \"tree\"\nrevision = 7".to_vec(), (0..200).collect()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed, samples());
            (0..1000).map(|_| mutator.next_input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(3), inputs(3));
        assert_ne!(inputs(3), inputs(5));
        let mut distinct = inputs(3);
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 800, "{}", distinct.len());
    }
}
