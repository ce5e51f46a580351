//! A histogram of PSNR, as SVG.

use super::canvas::{Anchor, Canvas, Stroke, SvgCanvas};
use super::font::{TextStyle, Weight};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 480;
/// Ends of the bars' area: left, right, top, bottom.
const AREA: [f64; 4] = [60.0, 940.0, 60.0, 430.0];
const BAR: [u8; 3] = [0x00, 0x72, 0xb2];
const MEAN: Stroke = Stroke { rgb: [0xd5, 0x5e, 0x00], width: 2.0, opacity: 1.0, dash: Some(6.0) };
const TEXT: TextStyle = TextStyle { size: 14.0, weight: Weight::Regular, rgb: [0x55; 3] };
const TITLE: TextStyle = TextStyle { size: 15.0, weight: Weight::SemiBold, rgb: [0x22; 3] };

/// `bins` of `width` dB from the lowest, each with its lower end and a count, and a line at their mean.
pub(crate) fn histogram_svg(bins: &[(f64, usize)], width: f64, mean: f64) -> String {
    let mut canvas = SvgCanvas::new(WIDTH, HEIGHT);
    let [left, right, top, bottom] = AREA;
    let total: usize = bins.iter().map(|&(_, n)| n).sum();
    canvas.text([left, 28.0], Anchor::Start, TITLE, &format!("{total} networks by PSNR in dB"));
    let (Some(&(low, _)), Some(most)) = (bins.first(), bins.iter().map(|&(_, n)| n).max()) else {
        return canvas.finish();
    };
    let step = (right - left) / bins.len() as f64;
    let x = |psnr: f64| left + (psnr - low) / width * step;
    let decimals = usize::from(width < 1.0);
    for &(start, n) in bins {
        let height = (bottom - top) * n as f64 / most as f64;
        canvas.bar([x(start) + 1.0, bottom - height], [step - 2.0, height], BAR);
        canvas.text([x(start), bottom + 18.0], Anchor::Middle, TEXT, &format!("{start:.decimals$}"));
        if n > 0 {
            canvas.text(
                [x(start) + step / 2.0, bottom - height - 12.0],
                Anchor::Middle,
                TEXT,
                &n.to_string(),
            );
        }
    }
    let end = low + width * bins.len() as f64;
    canvas.text([x(end), bottom + 18.0], Anchor::Middle, TEXT, &format!("{end:.decimals$}"));
    canvas.line(&[[x(mean), top - 8.0], [x(mean), bottom]], MEAN);
    canvas.text([right, 28.0], Anchor::End, TEXT, &format!("mean {mean:.2} dB"));
    canvas.finish()
}
