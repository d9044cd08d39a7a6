// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Pictures as files: a palette, and as small as they get.

use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter};

/// Width, height and all pixels.
#[derive(PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<[u8; 3]>,
}

impl From<&platen_ui::Frame> for Picture {
    fn from(frame: &platen_ui::Frame) -> Self {
        let size = frame.size();
        Self { width: size.width, height: size.height, pixels: frame.pixels().to_vec() }
    }
}

pub(crate) fn write(picture: &Picture) -> Vec<u8> {
    let mut palette: Vec<[u8; 3]> = picture.pixels.clone();
    palette.sort_unstable();
    palette.dedup();
    let is_small = palette.len() <= 256;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_compression(Compression::High);
    // What is flat packs best as it is.
    encoder.set_filter(Filter::NoFilter);
    let data: Vec<u8> = match is_small {
        true => {
            let index = |pixel: &[u8; 3]| palette.binary_search(pixel).expect("it is in the palette");
            let depth = match palette.len() {
                0..=2 => 1,
                3..=16 => 4,
                _ => 8,
            };
            encoder.set_color(ColorType::Indexed);
            encoder.set_depth(BitDepth::from_u8(depth).expect("a depth"));
            encoder.set_palette(palette.concat());
            let pack = |row: &[[u8; 3]]| -> Vec<u8> {
                let per_byte = usize::from(8 / depth);
                let byte = |part: &[[u8; 3]]| {
                    let shift = |at: usize| 8 - depth as usize * (at + 1);
                    part.iter().enumerate().fold(0, |byte, (at, pixel)| byte | (index(pixel) << shift(at)) as u8)
                };
                row.chunks(per_byte).map(byte).collect()
            };
            picture.pixels.chunks(picture.width as usize).flat_map(pack).collect()
        }
        false => {
            encoder.set_color(ColorType::Rgb);
            picture.pixels.concat()
        }
    };
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&data)).expect("memory takes all");
    bytes
}

pub(crate) fn read(bytes: &[u8]) -> Picture {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG file");
    let mut data = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut data).expect("a picture");
    let pixels = data[..info.buffer_size()].chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Picture { width: info.width, height: info.height, pixels }
}

#[test]
fn a_picture_is_read_as_it_was_written() {
    for colours in [2, 5, 200, 400] {
        let pixel = |n: u32| [(n % colours) as u8, (n % colours / 256) as u8, 7];
        let picture = Picture { width: 37, height: 21, pixels: (0..37 * 21).map(pixel).collect() };
        assert!(read(&write(&picture)) == picture, "{colours} colours");
    }
}
