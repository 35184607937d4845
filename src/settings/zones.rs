//! Time zones by name.

use chrono_tz::{TZ_VARIANTS, Tz};

/// Names of which the part behind the slash is not a place: `Etc/GMT+1` is an hour *behind* UTC.
const NOT_PLACES: &str = "Etc/";

/// The zone of this name; `utc` in any case.
pub(super) fn named(name: &str) -> Option<Tz> {
    if name.eq_ignore_ascii_case("utc") { Some(Tz::UTC) } else { name.parse().ok() }
}

/// The zone that was probably meant: by its whole name, or by its place alone (`Paris`).
/// `None` = nothing is near enough.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let plain = |name: &str| name.trim().to_lowercase().replace([' ', '-'], "_");
    let wanted = plain(name);
    let place = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let zones = TZ_VARIANTS.iter().map(|zone| zone.name()).filter(|name| !name.starts_with(NOT_PLACES));
    let (distance, near) = zones
        .map(|zone| {
            let of = |known: &str| strsim::damerau_levenshtein(&wanted, &plain(known));
            // A whole name that is as near says more.
            (of(zone).min(of(place(zone)) + usize::from(zone.contains('/'))), zone)
        })
        .min()?;
    (distance <= 1 + wanted.chars().count() / 4).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_that_was_meant_is_found() {
        for (written, meant) in [
            ("Europe/Pari", Some("Europe/Paris")),
            ("europe/paris", Some("Europe/Paris")),
            ("Europe/Pairs", Some("Europe/Paris")),
            ("Europ/Paris", Some("Europe/Paris")),
            ("Paris", Some("Europe/Paris")),
            ("new york", Some("America/New_York")),
            ("America/New-York", Some("America/New_York")),
            ("the zone of my grandmother", None),
        ] {
            assert!(named(written).is_none(), "{written} is a name");
            let found = nearest(written);
            assert_eq!(found, meant, "{written}");
        }
        assert_eq!(named("utc"), Some(Tz::UTC));
        assert_eq!(named("Europe/Paris"), Some(chrono_tz::Europe::Paris));
    }
}
