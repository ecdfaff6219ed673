//! What a feature says of a subscription in French. In English it stands in the catalogue.
//!
//! Values stand apart from the words around them, so that no ending depends on one.

/// The sentence of a feature; none of one that the table does not have. `{value}` and `{typical}`
/// stand for both, written in the feature's unit.
pub(in super::super) fn french_sentence(feature: &str, value: f64, typical: f64) -> Option<&'static str> {
    let (_, above, below) = SENTENCES.iter().find(|(name, ..)| *name == feature)?;
    let is_flag = !above.contains("{value}");
    let is_above = if is_flag { value > 0.0 } else { value >= typical };
    Some(below.filter(|_| !is_above).unwrap_or(above))
}

/// Feature, sentence at or above the typical value, and below it where that is another one.
const SENTENCES: &[(&str, &str, Option<&str>)] = &[
    ("volume_7", "volume par jour sur 7 jours : {value} ; typique : {typical}", None),
    ("volume_14", "volume par jour sur 14 jours : {value} ; typique : {typical}", None),
    ("volume_28", "volume par jour sur 28 jours : {value} ; typique : {typical}", None),
    ("volume_56", "volume par jour sur 56 jours : {value} ; typique : {typical}", None),
    ("volume_84", "volume par jour sur 84 jours : {value} ; typique : {typical}", None),
    ("active_share_7", "jours d'utilisation parmi les 7 derniers : {value} ; typique : {typical}", None),
    ("active_share_14", "jours d'utilisation parmi les 14 derniers : {value} ; typique : {typical}", None),
    ("active_share_28", "jours d'utilisation parmi les 28 derniers : {value} ; typique : {typical}", None),
    ("active_share_56", "jours d'utilisation parmi les 56 derniers : {value} ; typique : {typical}", None),
    ("active_share_84", "jours d'utilisation parmi les 84 derniers : {value} ; typique : {typical}", None),
    ("usage_days_relative", "jours d'utilisation rapportés au nombre habituel ici : {value} ; typique : {typical}", None),
    ("usage_share_life_relative", "rythme sur toute sa vie rapporté au rythme habituel ici : {value} ; typique : {typical}", None),
    ("volume_life_relative", "volume à ce jour rapporté au volume habituel ici : {value} ; typique : {typical}", None),
    ("fading_use_28", "jours d'utilisation récents, moins comptés s'ils sont anciens : {value} ; typique : {typical}", None),
    (
        "days_since_usage",
        "sans utilisation depuis (jours) : {value} ; typique : {typical}",
        Some("dernière utilisation il y a (jours) : {value} ; typique : {typical}"),
    ),
    (
        "silence_against_usual",
        "silence actuel rapporté à l'écart habituel entre ses jours d'utilisation : {value} ; typique : {typical}",
        None,
    ),
    (
        "silence_surprise",
        "un si long silence est inhabituel vu son rythme (surprise : {value} ; typique : {typical})",
        Some("un si long silence est habituel vu son rythme (surprise : {value} ; typique : {typical})"),
    ),
    ("longer_silences", "part de ses silences passés plus longs que l'actuel : {value} ; typique : {typical}", None),
    ("longest_silence_relative", "plus long silence rapporté à l'habituel ici : {value} ; typique : {typical}", None),
    ("long_silences_relative", "longs silences rapportés au nombre habituel ici : {value} ; typique : {typical}", None),
    ("volume_trend_7", "utilisation des 7 derniers jours rapportée aux 7 précédents : {value} ; typique : {typical}", None),
    ("volume_trend_14", "utilisation des 14 derniers jours rapportée aux 14 précédents : {value} ; typique : {typical}", None),
    ("volume_trend_28", "utilisation des 28 derniers jours rapportée aux 28 précédents : {value} ; typique : {typical}", None),
    ("activity_change_14", "évolution des jours d'utilisation d'une quinzaine à l'autre : {value} ; typique : {typical}", None),
    ("activity_change_28", "évolution des jours d'utilisation sur 28 jours : {value} ; typique : {typical}", None),
    ("activity_against_life", "rythme des 28 derniers jours rapporté à celui de toute sa vie : {value} ; typique : {typical}", None),
    ("last_7_of_best_7", "7 derniers jours rapportés à sa meilleure semaine sur 84 jours : {value} ; typique : {typical}", None),
    (
        "volume_slope_28_relative",
        "en 28 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
        Some("en 28 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})"),
    ),
    (
        "volume_slope_56_relative",
        "en 56 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
        Some("en 56 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})"),
    ),
    (
        "volume_slope_84_relative",
        "en 84 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
        Some("en 84 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})"),
    ),
    (
        "variation_84",
        "jours d'utilisation très inégaux (variation sur 84 jours : {value} ; typique : {typical})",
        Some("jours d'utilisation peu inégaux (variation sur 84 jours : {value} ; typique : {typical})"),
    ),
    ("longest_silence_84", "plus long silence en 84 jours (jours) : {value} ; typique : {typical}", None),
    ("weekend_share_84", "part des jours d'utilisation tombant un week-end : {value} ; typique : {typical}", None),
    ("categories_28", "catégories utilisées en 28 jours : {value} ; typique : {typical}", None),
    ("categories_change_28", "évolution du nombre de catégories en 28 jours : {value} ; typique : {typical}", None),
    ("categories_silent", "catégories devenues silencieuses depuis 28 jours : {value} ; typique : {typical}", None),
    ("largest_share_84", "part de l'utilisation dans une seule catégorie : {value} ; typique : {typical}", None),
    (
        "entropy_84",
        "utilisation répartie sur beaucoup de catégories (entropie : {value} ; typique : {typical})",
        Some("utilisation concentrée sur peu de catégories (entropie : {value} ; typique : {typical})"),
    ),
    ("tenure_relative", "âge rapporté à l'âge habituel ici : {value} ; typique : {typical}", None),
    ("young", "a moins de 84 jours", Some("a plus de 84 jours")),
    ("days_to_term_end", "jours jusqu'à la fin du terme : {value} ; typique : {typical}", None),
    ("has_term", "a déjà été renouvelé", Some("n'a jamais été renouvelé")),
    ("days_since_renewal", "jours depuis le dernier renouvellement : {value} ; typique : {typical}", None),
    ("earlier_suspensions", "suspensions passées : {value} ; typique : {typical}", None),
    ("siblings", "autres abonnements actifs du client : {value} ; typique : {typical}", None),
    ("siblings_lost_90", "autres abonnements quittés par le client en 90 jours : {value} ; typique : {typical}", None),
    (
        "handed_over",
        "son utilisation est passée à un autre abonnement du client",
        Some("aucun autre abonnement n'a repris son utilisation"),
    ),
    (
        "fading_use_180_relative",
        "jours d'utilisation, moins comptés s'ils sont anciens, rapportés à la somme habituelle ici : {value} ; typique : {typical}",
        None,
    ),
    (
        "siblings_trend_28",
        "jours d'utilisation des autres abonnements du client, rapportés aux 28 jours précédents : {value} ; typique : {typical}",
        None,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FEATURES, Unit};

    #[test]
    fn every_feature_of_the_catalogue_speaks_french() {
        for feature in FEATURES {
            for value in [0.0, 1.0] {
                let sentence = french_sentence(feature.name, value, 0.5).unwrap_or_else(|| panic!("{} says nothing", feature.name));
                assert_eq!(sentence.contains("{value}"), feature.unit != Unit::Flag, "{}: {sentence}", feature.name);
            }
        }
        assert_eq!(french_sentence("young", 0.0, 0.0), Some("a plus de 84 jours"));
    }
}
