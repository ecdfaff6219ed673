//! What a feature says of a subscription in French. In English it stands in the catalogue.
//!
//! Values stand apart from the words around them, so that no ending depends on one.

/// The sentence of a feature; none of one that the table does not have. `{value}` and `{typical}`
/// stand for both, written in the feature's unit.
pub(in super::super) fn french_sentence(feature: &str, value: f64, typical: f64) -> Option<&'static str> {
    let (above, below) = sentences(feature)?;
    let is_flag = !above.contains("{value}");
    Some(if (is_flag && value > 0.0) || (!is_flag && value >= typical) { above } else { below })
}

/// At or above the typical value, and below it.
fn sentences(feature: &str) -> Option<(&'static str, &'static str)> {
    let always = |sentence| Some((sentence, sentence));
    match feature {
        "volume_7" => always("volume par jour sur 7 jours : {value} ; typique : {typical}"),
        "volume_14" => always("volume par jour sur 14 jours : {value} ; typique : {typical}"),
        "volume_28" => always("volume par jour sur 28 jours : {value} ; typique : {typical}"),
        "volume_56" => always("volume par jour sur 56 jours : {value} ; typique : {typical}"),
        "volume_84" => always("volume par jour sur 84 jours : {value} ; typique : {typical}"),
        "active_share_7" => always("jours d'utilisation parmi les 7 derniers : {value} ; typique : {typical}"),
        "active_share_14" => always("jours d'utilisation parmi les 14 derniers : {value} ; typique : {typical}"),
        "active_share_28" => always("jours d'utilisation parmi les 28 derniers : {value} ; typique : {typical}"),
        "active_share_56" => always("jours d'utilisation parmi les 56 derniers : {value} ; typique : {typical}"),
        "active_share_84" => always("jours d'utilisation parmi les 84 derniers : {value} ; typique : {typical}"),
        "usage_days_relative" => always("jours d'utilisation rapportés au nombre habituel ici : {value} ; typique : {typical}"),
        "usage_share_life_relative" => always("rythme sur toute sa vie rapporté au rythme habituel ici : {value} ; typique : {typical}"),
        "volume_life_relative" => always("volume à ce jour rapporté au volume habituel ici : {value} ; typique : {typical}"),
        "fading_use_28" => always("jours d'utilisation récents, moins comptés s'ils sont anciens : {value} ; typique : {typical}"),
        "fading_use_180_relative" => always(
            "jours d'utilisation, moins comptés s'ils sont anciens, rapportés à la somme habituelle ici : {value} ; typique : {typical}",
        ),
        "days_since_usage" => Some((
            "sans utilisation depuis (jours) : {value} ; typique : {typical}",
            "dernière utilisation il y a (jours) : {value} ; typique : {typical}",
        )),
        "silence_against_usual" => {
            always("silence actuel rapporté à l'écart habituel entre ses jours d'utilisation : {value} ; typique : {typical}")
        }
        "silence_surprise" => Some((
            "un si long silence est inhabituel vu son rythme (surprise : {value} ; typique : {typical})",
            "un si long silence est habituel vu son rythme (surprise : {value} ; typique : {typical})",
        )),
        "longer_silences" => always("part de ses silences passés plus longs que l'actuel : {value} ; typique : {typical}"),
        "longest_silence_relative" => always("plus long silence rapporté à l'habituel ici : {value} ; typique : {typical}"),
        "long_silences_relative" => always("longs silences rapportés au nombre habituel ici : {value} ; typique : {typical}"),
        "volume_trend_7" => always("utilisation des 7 derniers jours rapportée aux 7 précédents : {value} ; typique : {typical}"),
        "volume_trend_14" => always("utilisation des 14 derniers jours rapportée aux 14 précédents : {value} ; typique : {typical}"),
        "volume_trend_28" => always("utilisation des 28 derniers jours rapportée aux 28 précédents : {value} ; typique : {typical}"),
        "activity_change_14" => always("évolution des jours d'utilisation d'une quinzaine à l'autre : {value} ; typique : {typical}"),
        "activity_change_28" => always("évolution des jours d'utilisation sur 28 jours : {value} ; typique : {typical}"),
        "activity_against_life" => always("rythme des 28 derniers jours rapporté à celui de toute sa vie : {value} ; typique : {typical}"),
        "last_7_of_best_7" => always("7 derniers jours rapportés à sa meilleure semaine sur 84 jours : {value} ; typique : {typical}"),
        "volume_slope_28_relative" => Some((
            "en 28 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
            "en 28 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})",
        )),
        "volume_slope_56_relative" => Some((
            "en 56 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
            "en 56 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})",
        )),
        "volume_slope_84_relative" => Some((
            "en 84 jours l'utilisation monte plus que celle du portefeuille (pente : {value} ; typique : {typical})",
            "en 84 jours l'utilisation recule face au portefeuille (pente : {value} ; typique : {typical})",
        )),
        "variation_84" => Some((
            "jours d'utilisation très inégaux (variation sur 84 jours : {value} ; typique : {typical})",
            "jours d'utilisation peu inégaux (variation sur 84 jours : {value} ; typique : {typical})",
        )),
        "longest_silence_84" => always("plus long silence en 84 jours (jours) : {value} ; typique : {typical}"),
        "weekend_share_84" => always("part des jours d'utilisation tombant un week-end : {value} ; typique : {typical}"),
        "categories_28" => always("catégories utilisées en 28 jours : {value} ; typique : {typical}"),
        "categories_change_28" => always("évolution du nombre de catégories en 28 jours : {value} ; typique : {typical}"),
        "categories_silent" => always("catégories devenues silencieuses depuis 28 jours : {value} ; typique : {typical}"),
        "largest_share_84" => always("part de l'utilisation dans une seule catégorie : {value} ; typique : {typical}"),
        "entropy_84" => Some((
            "utilisation répartie sur beaucoup de catégories (entropie : {value} ; typique : {typical})",
            "utilisation concentrée sur peu de catégories (entropie : {value} ; typique : {typical})",
        )),
        "tenure_relative" => always("âge rapporté à l'âge habituel ici : {value} ; typique : {typical}"),
        "young" => Some(("a moins de 84 jours", "a plus de 84 jours")),
        "days_to_term_end" => always("jours jusqu'à la fin du terme : {value} ; typique : {typical}"),
        "has_term" => Some(("a déjà été renouvelé", "n'a jamais été renouvelé")),
        "days_since_renewal" => always("jours depuis le dernier renouvellement : {value} ; typique : {typical}"),
        "earlier_suspensions" => always("suspensions passées : {value} ; typique : {typical}"),
        "siblings" => always("autres abonnements actifs du client : {value} ; typique : {typical}"),
        "siblings_trend_28" => always(
            "jours d'utilisation des autres abonnements du client, rapportés aux 28 jours précédents : {value} ; typique : {typical}",
        ),
        "siblings_lost_90" => always("autres abonnements quittés par le client en 90 jours : {value} ; typique : {typical}"),
        "handed_over" => {
            Some(("son utilisation est passée à un autre abonnement du client", "aucun autre abonnement n'a repris son utilisation"))
        }
        _ => None,
    }
}

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
