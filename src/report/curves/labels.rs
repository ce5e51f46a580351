//! Labels at the ends of lines, moved so that they do not overlap.

use crate::report::canvas::{Anchor, Canvas, Stroke};
use crate::report::font::TextStyle;

pub(super) struct Label {
    pub(super) text: String,
    pub(super) rgb: [u8; 3],
    /// The line's last point.
    pub(super) end: [f64; 2],
    /// Right edge of the plot.
    pub(super) column: f64,
}

/// Distance from the plot's edge to the text.
pub(super) const OFFSET: f64 = 26.0;
/// Distance between labels, if there is room.
const GAP: f64 = 21.0;

/// Draws all labels within `span`, bottom and top of the plot, each joined to its line.
pub(super) fn draw(canvas: &mut dyn Canvas, mut labels: Vec<Label>, span: [f64; 2], style: TextStyle) {
    labels.sort_by(|a, b| a.end[1].total_cmp(&b.end[1]));
    let wanted: Vec<f64> = labels.iter().map(|label| label.end[1]).collect();
    let places = push_apart(&wanted, GAP, span[1], span[0]);
    for (label, y) in labels.iter().zip(places) {
        let x = label.column + OFFSET;
        let joint = Stroke { rgb: label.rgb, width: 1.25, opacity: 0.7, dash: None };
        canvas.line(&[[label.end[0] + 6.0, label.end[1]], [x - 6.0, y]], joint);
        canvas.text([x, y], Anchor::Start, style, &label.text);
    }
}

/// Moves sorted positions as little as needed for `gap` between neighbours, within low..=high.
/// If they do not fit, the gap shrinks.
fn push_apart(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let gap = match wanted.len() {
        0 | 1 => gap,
        n => gap.min((high - low) / (n - 1) as f64),
    };
    // Groups of touching labels: (mean desired position of the first label, number of labels).
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let start = |(first, n): (f64, usize)| first.clamp(low, (high - gap * (n - 1) as f64).max(low));
    for &y in wanted {
        groups.push((y, 1));
        while let [.., above, below] = groups.as_slice() {
            let (above, below) = (*above, *below);
            if start(below) - start(above) >= gap * above.1 as f64 {
                break;
            }
            let n = above.1 + below.1;
            let shifted = below.0 - gap * above.1 as f64;
            let first = (above.0 * above.1 as f64 + shifted * below.1 as f64) / n as f64;
            groups.truncate(groups.len() - 2);
            groups.push((first, n));
        }
    }
    groups.into_iter().flat_map(|group| (0..group.1).map(move |i| start(group) + gap * i as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_never_overlap_and_stay_inside() {
        let cases: [&[f64]; 6] = [
            &[50.0],
            &[50.0, 50.0],
            &[0.0, 0.0, 0.0, 100.0],
            &[95.0, 99.0, 100.0],
            &[1.0, 2.0, 50.0, 51.0, 90.0],
            &[],
        ];
        for wanted in cases {
            let places = push_apart(wanted, 20.0, 0.0, 100.0);
            assert_eq!(places.len(), wanted.len());
            assert!(places.iter().all(|&y| (-1e-9..=100.0 + 1e-9).contains(&y)), "{wanted:?}: {places:?}");
            assert!(places.windows(2).all(|w| w[1] - w[0] >= 20.0 - 1e-9), "{wanted:?}: {places:?}");
        }
        assert_eq!(push_apart(&[50.0, 50.0], 20.0, 0.0, 100.0), [40.0, 60.0]);
        assert_eq!(push_apart(&[10.0, 90.0], 20.0, 0.0, 100.0), [10.0, 90.0]);
    }

    #[test]
    fn too_many_labels_share_the_room() {
        let places = push_apart(&[5.0; 21], 20.0, 0.0, 100.0);
        assert!(places.windows(2).all(|w| (w[1] - w[0] - 5.0).abs() < 1e-9), "{places:?}");
    }
}
