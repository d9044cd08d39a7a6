// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! The panel as pictures in a folder, one for each change.

use std::fs;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use embedded_graphics::prelude::Size;
use embedded_graphics::primitives::Rectangle;
use platen_ui::{Panel, Ui};

use super::Show;

const PANEL: Panel = Panel { size: Size::new(800, 480), is_mono: false, has_light: false };

pub(super) struct Pictures {
    folder: PathBuf,
    count: u64,
}

impl Pictures {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), count: 0 })
    }
}

impl Show for Pictures {
    fn panel(&self) -> Panel {
        PANEL
    }

    fn show(&mut self, ui: &Ui, _: &[Rectangle]) -> io::Result<()> {
        self.count += 1;
        let frame = ui.frame();
        // Whoever watches the folder sees whole pictures only.
        let (part, whole) = (self.folder.join("part"), self.folder.join(format!("{:06}.png", self.count)));
        let mut encoder =
            png::Encoder::new(BufWriter::new(fs::File::create(&part)?), frame.size().width, frame.size().height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fast);
        encoder.write_header()?.write_image_data(&frame.pixels().concat())?;
        fs::rename(part, whole)
    }
}
