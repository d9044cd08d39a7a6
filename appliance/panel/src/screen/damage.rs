// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Which parts of a picture travel.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// The kernel takes 256 in one go (`DRM_MODE_FB_DIRTY_MAX_CLIPS`); so many small ones are rarely worth the trouble.
const MOST: usize = 64;

/// What of these areas lies in a picture of this size. Many become the one that holds them all.
pub(super) fn within(areas: &[Rectangle], picture: Size) -> Vec<Rectangle> {
    let all = Rectangle::new(Point::zero(), picture);
    let inside: Vec<Rectangle> =
        areas.iter().map(|area| area.intersection(&all)).filter(|area| !area.is_zero_sized()).collect();
    if inside.len() <= MOST { inside } else { inside.into_iter().reduce(around).into_iter().collect() }
}

/// The smallest area that holds both, neither of which is empty.
fn around(a: Rectangle, b: Rectangle) -> Rectangle {
    let last = |area: Rectangle| area.bottom_right().unwrap_or(area.top_left);
    Rectangle::with_corners(a.top_left.component_min(b.top_left), last(a).component_max(last(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_travels_and_many_become_one() {
        let area = |x, y, width, height| Rectangle::new(Point::new(x, y), Size::new(width, height));
        let size = Size::new(100, 50);
        let found = within(&[area(-5, 40, 10, 20), area(100, 0, 5, 5), area(3, 3, 0, 9), area(1, 1, 2, 2)], size);
        assert_eq!(found, [area(0, 40, 5, 10), area(1, 1, 2, 2)]);
        let many: Vec<Rectangle> = (0..65).map(|at| area(at, at / 2, 1, 1)).collect();
        assert_eq!(within(&many, size), [area(0, 0, 65, 33)]);
        assert_eq!(within(&many[..64], size).len(), 64);
    }
}
