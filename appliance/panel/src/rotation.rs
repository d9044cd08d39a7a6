// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! How a panel is mounted: the picture is turned until people see it upright.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// How far the picture is turned clockwise against the panel's own top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// It is not.
    #[default]
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// All four.
    pub const ALL: [Self; 4] = [Self::None, Self::Quarter, Self::Half, Self::ThreeQuarters];

    /// From 0, 90, 180 or 270 degrees.
    pub fn from_degrees(degrees: u32) -> Option<Self> {
        let turns = degrees.is_multiple_of(90).then_some(degrees / 90)?;
        Self::ALL.get(turns as usize).copied()
    }

    /// The size of a picture that fills a panel of this size.
    pub fn picture(self, panel: Size) -> Size {
        match self {
            Self::None | Self::Half => panel,
            Self::Quarter | Self::ThreeQuarters => Size::new(panel.height, panel.width),
        }
    }

    /// Where on a panel of this size a point of the picture is.
    pub fn to_panel(self, at: Point, panel: Size) -> Point {
        let (right, bottom) = (panel.width as i32 - 1, panel.height as i32 - 1);
        match self {
            Self::None => at,
            Self::Quarter => Point::new(right - at.y, at.x),
            Self::Half => Point::new(right - at.x, bottom - at.y),
            Self::ThreeQuarters => Point::new(at.y, bottom - at.x),
        }
    }

    /// Where in the picture a point of the panel is.
    pub fn to_picture(self, at: Point, panel: Size) -> Point {
        let (right, bottom) = (panel.width as i32 - 1, panel.height as i32 - 1);
        match self {
            Self::None => at,
            Self::Quarter => Point::new(at.y, right - at.x),
            Self::Half => Point::new(right - at.x, bottom - at.y),
            Self::ThreeQuarters => Point::new(bottom - at.y, at.x),
        }
    }

    /// An area of the picture, on a panel of this size.
    pub fn area_to_panel(self, area: Rectangle, panel: Size) -> Rectangle {
        match area.bottom_right() {
            Some(last) => Rectangle::with_corners(self.to_panel(area.top_left, panel), self.to_panel(last, panel)),
            None => Rectangle::zero(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_pixel_goes_clockwise_around_the_corners() {
        let panel = Size::new(800, 480);
        let corners = Rotation::ALL.map(|rotation| rotation.to_panel(Point::zero(), panel));
        assert_eq!(corners, [(0, 0), (799, 0), (799, 479), (0, 479)].map(|(x, y)| Point::new(x, y)));
        let area = Rectangle::new(Point::new(10, 20), Size::new(30, 40));
        let turned = Rotation::Quarter.area_to_panel(area, panel);
        assert_eq!(turned, Rectangle::new(Point::new(740, 10), Size::new(40, 30)));
    }

    #[test]
    fn only_quarters_are_turns() {
        let found = [0, 90, 180, 270].map(Rotation::from_degrees);
        assert_eq!(found, Rotation::ALL.map(Some));
        assert_eq!([45, 1, 360, 450].map(Rotation::from_degrees), [None; 4]);
    }

    proptest! {
        #[test]
        fn a_point_comes_back_to_where_it_was(width in 1u32..400, height in 1u32..400, x: u32, y: u32) {
            let panel = Size::new(width, height);
            for rotation in Rotation::ALL {
                let picture = rotation.picture(panel);
                let at = Point::new((x % picture.width) as i32, (y % picture.height) as i32);
                let there = rotation.to_panel(at, panel);
                prop_assert!(Rectangle::new(Point::zero(), panel).contains(there));
                prop_assert_eq!(rotation.to_picture(there, panel), at);
            }
        }
    }
}
