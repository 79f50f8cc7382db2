//! Where small charts stand in an image: in rows that are read like text, all of one size.

/// Small charts beside each other.
const MOST_ACROSS: usize = 4;

/// The rectangle between the axes of a small chart, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
    /// Whether the labels of y stand left of it.
    pub leftmost: bool,
    /// Whether the labels of x stand below it: nothing else does.
    pub lowest: bool,
}

/// How many of so many small charts stand beside each other.
pub fn columns(count: usize) -> usize {
    match count {
        0..=3 => count.max(1),
        _ => ((count as f64).sqrt().ceil() as usize).min(MOST_ACROSS),
    }
}

/// The places of so many small charts between two corners, `gap` apart, each with `heading` pixels above it.
pub fn tiles(count: usize, corners: [(i32, i32); 2], (gap, heading): (i32, i32)) -> Vec<Tile> {
    let [(left, top), (right, bottom)] = corners;
    let across = columns(count);
    let down = count.div_ceil(across).max(1);
    let width = ((right - left - gap * (across as i32 - 1)) / across as i32).max(1);
    let space = gap / 2;
    let height = ((bottom - top - space * (down as i32 - 1)) / down as i32).max(1);
    let tile = |index: usize| {
        let (column, row) = ((index % across) as i32, (index / across) as i32);
        let (left, top) = (left + column * (width + gap), top + row * (height + space));
        Tile {
            left,
            top: top + heading,
            right: left + width,
            bottom: (top + height).max(top + heading + 1),
            leftmost: column == 0,
            lowest: index + across >= count,
        }
    };
    (0..count).map(tile).collect()
}
