//! The colours of files: profiles, code points and primaries, and conversion from them.

mod cmyk;
mod curve;
mod described;
mod hdr;
mod primaries;
mod space;

pub(super) use cmyk::{cmyk_to_srgb, inks_of_jpeg};
pub(super) use described::{Chromaticities, Described};
pub use space::Space;

use super::alpha::{Stored, to_held};
use super::{Picture, PictureError, Result};
use crate::names::named;
use hdr::HdrCurve;
use moxcms::{
    CicpColorPrimaries, CicpProfile, ColorProfile, DataColorSpace, LocalizableString, MatrixCoefficients,
    ProfileText, ToneReprCurve, TransferCharacteristics,
};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

named! {
    /// What becomes of a picture's colour space.
    pub enum ColorHandling = Srgb {
        /// Converted to sRGB, and HDR to linear light with its primaries.
        Srgb "srgb",
        /// Values as in the file; its colour profile is written into pictures of the network.
        Keep "keep",
    }
}

/// An ICC profile, shared by all that write pictures.
pub type IccProfile = Arc<[u8]>;

/// The colour space of a file's values.
enum Source {
    /// An ICC profile, or what is as good as one; with its bytes.
    Profile(Box<Space>, Vec<u8>),
    /// HDR video with these primaries.
    Hdr(HdrCurve, Chromaticities),
    /// Linear light with other primaries.
    Primaries(Chromaticities),
}

/// Converts `picture` to the form in which pictures are held: alpha by its depth, colours as `handling` asks. `stored`
/// and `described` are what its file says. Adds to `notes` what a user might not expect. Returns the profile to be
/// written into pictures of the network.
///
/// # Errors
/// When the file's colours cannot be converted or kept.
pub(super) fn hold(
    path: &Path,
    picture: &mut Picture,
    (stored, described): (Stored, Described),
    handling: ColorHandling,
    notes: &mut Vec<String>,
) -> Result<Option<IccProfile>> {
    let name = path.file_name().unwrap_or(path.as_os_str()).display();
    to_held(picture, stored);
    if let Some(from) = described.converted {
        notes.push(format!("{name}: converted from {from} to sRGB"));
        return Ok(None);
    }
    let source = match source(picture, described) {
        Ok(Some(source)) => source,
        Ok(None) => return Ok(None),
        Err(reason) => {
            notes.push(format!("{name}: its colour profile is ignored, since {reason}"));
            return Ok(None);
        }
    };
    let unsupported =
        |instead| move |what| PictureError::Unsupported { path: path.to_owned(), what, instead };
    let (note, profile) = match handling {
        ColorHandling::Srgb => {
            let refused = unsupported("give --color keep to take its values as they are");
            (Some(convert(picture, &source).map_err(refused)?), None)
        }
        ColorHandling::Keep => {
            keep(picture, source).map_err(unsupported("leave --color out to convert them"))?
        }
    };
    notes.extend(note.map(|note| format!("{name}: {note}")));
    Ok(profile)
}

/// Converts `picture`, which is of `source`. Returns what was done, and fails with why not.
fn convert(picture: &mut Picture, source: &Source) -> Result<String, String> {
    let matrix = |primaries| {
        primaries::to_srgb(primaries).ok_or_else(|| "has primaries that are not valid".to_owned())
    };
    let named = |primaries| primaries::name(primaries).unwrap_or("its primaries");
    Ok(match source {
        Source::Profile(space, _) => {
            let clipped = space.convert(picture);
            let target = if picture.is_hdr() { "linear sRGB" } else { "sRGB" };
            let lost = match 100.0 * clipped {
                percent if percent < 0.1 => String::new(),
                percent if percent < 1.0 => format!("{percent:.1}"),
                percent => format!("{percent:.0}"),
            };
            let lost = match lost.as_str() {
                "" => lost,
                percent => format!("; colours outside of it, {percent} % of the pixels, are clipped"),
            };
            format!("converted from {} to {target}{lost}", space.name())
        }
        Source::Primaries(primaries) => {
            space::apply(picture, &matrix(primaries)?);
            format!("converted from {} to linear sRGB", named(primaries))
        }
        Source::Hdr(curve, primaries) => {
            *picture = curve.decode(picture, &matrix(primaries)?);
            format!(
                "converted from {} with the primaries of {} to linear sRGB, an HDR picture in which 1 is 203 cd/m²",
                curve.name(),
                named(primaries)
            )
        }
    })
}

/// What to say of a `picture` whose values are kept, and its profile. Fails with why they cannot be kept.
fn keep(picture: &Picture, source: Source) -> Result<(Option<String>, Option<IccProfile>), String> {
    let lost = |what: &str| Some(format!("{what} not applied, and not written into other files"));
    match source {
        Source::Profile(..) if picture.is_hdr() => Ok((lost("its colour profile is"), None)),
        Source::Profile(_, icc) => Ok((None, Some(icc.into()))),
        Source::Primaries(_) => Ok((lost("its primaries are"), None)),
        Source::Hdr(curve, _) => Err(format!("has {} colours, which cannot be kept,", curve.name())),
    }
}

/// `picture`, whose values `profile` describes, in sRGB.
pub fn in_srgb<'a>(picture: &'a Picture, profile: Option<&[u8]>) -> Cow<'a, Picture> {
    // A profile that cannot be used is none when its picture is read.
    let space = profile.and_then(|icc| Space::from_icc(icc, picture.color_channels() == 1).ok());
    match space {
        None => Cow::Borrowed(picture),
        Some(space) => {
            let mut converted = picture.clone();
            space.convert(&mut converted);
            Cow::Owned(converted)
        }
    }
}

/// The colour space of `picture`; `None` for sRGB, or for floats linear light with its primaries. In a PNG, code
/// points come before a profile, and that before the rest (PNG, third edition, section 4.3). Fails with a part of a
/// sentence.
fn source(picture: &Picture, described: Described) -> Result<Option<Source>, String> {
    let grey = picture.color_channels() == 1;
    if let Some((primaries, transfer, full_range)) = described.cicp {
        if !full_range {
            return Err("its code points say that its values are in the range of video".to_owned());
        }
        return of_cicp(picture, primaries, transfer);
    }
    if let Some(icc) = described.icc {
        let profile = ColorProfile::new_from_slice(&icc).map_err(|e| format!("it cannot be read: {e}"))?;
        // The profile of HDR video has tables made for screens; its code points say what it is.
        let hdr = profile.cicp.filter(|_| !picture.is_hdr()).and_then(|points| {
            let curve = hdr_curve(points.transfer_characteristics)?;
            Some(Source::Hdr(curve, cicp_primaries(points.color_primaries)?))
        });
        if hdr.is_some() {
            return Ok(hdr);
        }
        let space = Space::of(&profile, grey)?;
        return Ok(unless_as_held(picture, space, icc));
    }
    if described.is_adobe_rgb && !grey {
        return of_profile(picture, ColorProfile::new_adobe_rgb(), None, "Adobe RGB (1998)".to_owned());
    }
    if described.is_srgb {
        return Ok(None);
    }
    match (described.gamma, described.chromaticities) {
        (None, None) => Ok(None),
        (None, Some(chromaticities)) if picture.is_hdr() => {
            let differ = !grey && !primaries::are_same(&chromaticities, &primaries::SRGB);
            Ok(differ.then_some(Source::Primaries(chromaticities)))
        }
        // Without gamma, the values' curve is unknown: sRGB's, like everywhere else.
        (gamma, chromaticities) => of_gamma(picture, gamma, chromaticities.filter(|_| !grey)),
    }
}

fn unless_as_held(picture: &Picture, space: Space, icc: Vec<u8>) -> Option<Source> {
    let as_held = if picture.is_hdr() { space.is_linear_srgb() } else { space.is_srgb() };
    (!as_held).then(|| Source::Profile(Box::new(space), icc))
}

/// The space of a PNG with gAMA and cHRM chunks, or one of them.
fn of_gamma(
    picture: &Picture,
    gamma: Option<f32>,
    chromaticities: Option<Chromaticities>,
) -> Result<Option<Source>, String> {
    /// The exponent nearest to sRGB's curve, and how exact it is in files.
    const SRGB: f32 = 0.45455;
    const TOLERANCE: f32 = 0.02;
    let chromaticities = chromaticities.filter(|c| !primaries::are_same(c, &primaries::SRGB));
    let is_srgb = |gamma: &f32| chromaticities.is_none() && (gamma / SRGB - 1.0).abs() < TOLERANCE;
    let gamma = gamma.filter(|gamma| !is_srgb(gamma));
    if gamma.is_none() && chromaticities.is_none() {
        return Ok(None);
    }
    let curve = match gamma {
        Some(gamma) => format!("gamma {}", (100.0 / gamma).round() / 100.0),
        None => "sRGB's curve".to_owned(),
    };
    let curve = if gamma == Some(1.0) { "linear light".to_owned() } else { curve };
    let name = match chromaticities {
        Some(c) => format!("{curve} with the primaries of {}", primaries::name(&c).unwrap_or("its own")),
        None => curve,
    };
    let mut profile = ColorProfile::new_srgb();
    if let Some(c) = chromaticities {
        profile.update_rgb_colorimetry(primaries::white(&c), primaries::primaries(&c));
    }
    profile.cicp = None;
    let trc = gamma.map(|gamma| ToneReprCurve::Parametric(vec![gamma.recip()]));
    of_profile(picture, profile, trc, name)
}

/// The space of `profile` with another curve for all colours, called `name`.
fn of_profile(
    picture: &Picture,
    mut profile: ColorProfile,
    trc: Option<ToneReprCurve>,
    name: String,
) -> Result<Option<Source>, String> {
    let trc = trc.or(profile.red_trc.clone());
    if picture.color_channels() == 1 {
        let zero = ColorProfile::default();
        (profile.color_space, profile.gray_trc) = (DataColorSpace::Gray, trc);
        (profile.red_trc, profile.green_trc, profile.blue_trc) = (None, None, None);
        (profile.red_colorant, profile.green_colorant, profile.blue_colorant) =
            (zero.red_colorant, zero.green_colorant, zero.blue_colorant);
    } else {
        (profile.red_trc, profile.green_trc, profile.blue_trc) = (trc.clone(), trc.clone(), trc);
    }
    let text = LocalizableString::new("en".to_owned(), "US".to_owned(), name.clone());
    profile.description = Some(ProfileText::Localizable(vec![text]));
    let space = Space::of(&profile, picture.color_channels() == 1)?.named(name);
    let icc = profile.encode().map_err(|e| format!("it cannot be used: {e}"))?;
    Ok(unless_as_held(picture, space, icc))
}

/// The space that a PNG's code points name (ITU-T H.273).
fn of_cicp(picture: &Picture, primaries: u8, transfer: u8) -> Result<Option<Source>, String> {
    let unknown = || format!("its code points {primaries} and {transfer} are not supported");
    let characteristics = TransferCharacteristics::try_from(transfer).map_err(|_| unknown())?;
    let code = CicpColorPrimaries::try_from(primaries).map_err(|_| unknown())?;
    let chromaticities = cicp_primaries(code).ok_or_else(unknown)?;
    if let Some(curve) = hdr_curve(characteristics) {
        return Ok(Some(Source::Hdr(curve, chromaticities)));
    }
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: code,
        transfer_characteristics: characteristics,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    if profile.red_trc.is_none() {
        return Err(unknown());
    }
    let name = match (primaries::name(&chromaticities), characteristics) {
        (Some(name), TransferCharacteristics::Srgb) => name.to_owned(),
        (Some(name), TransferCharacteristics::Linear) => format!("linear {name}"),
        _ => format!("the code points {primaries} and {transfer}"),
    };
    of_profile(picture, profile, None, name)
}

fn hdr_curve(transfer: TransferCharacteristics) -> Option<HdrCurve> {
    match transfer {
        TransferCharacteristics::Smpte2084 => Some(HdrCurve::Pq),
        TransferCharacteristics::Hlg => Some(HdrCurve::Hlg),
        _ => None,
    }
}

fn cicp_primaries(code: CicpColorPrimaries) -> Option<Chromaticities> {
    let primaries = moxcms::ColorPrimaries::try_from(code).ok()?;
    let white = match code {
        CicpColorPrimaries::Bt470M | CicpColorPrimaries::GenericFilm => [0.310, 0.316],
        CicpColorPrimaries::Smpte431 => [0.314, 0.351],
        CicpColorPrimaries::Xyz => [1.0 / 3.0; 2],
        _ => primaries::SRGB[3],
    };
    let [red, green, blue] = [primaries.red, primaries.green, primaries.blue].map(|point| [point.x, point.y]);
    Some([red, green, blue, white])
}
