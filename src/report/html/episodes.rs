//! Episodes as pictures: where the originals lie, where the repeats lie, and what repeats what.

use std::ops::Range;

use serde::Serialize;

use crate::finding::Episode;
use crate::report::html::amounts;
use crate::report::html::axis::tenths;
use crate::report::html::view::short;
use crate::report::terminal::numbers::{counted, date_and_time, from_to, grouped};

/// Episodes in a page at most.
const EPISODES_MAX: usize = 60;

/// Episodes whose picture is unfolded at first.
const UNFOLDED: usize = 4;

/// Both lanes have one scale where it is at most so many times as long as the longer lane.
const SHARED_SCALE_MAX: i128 = 8;

/// Width of a picture, in tenths.
const WIDTH: i128 = 10_000;

/// All episodes that are shown.
#[derive(Debug, Serialize)]
pub(super) struct EpisodesView {
    shown: Vec<EpisodeView>,
    total: String,
    more: usize,
}

/// One episode.
#[derive(Debug, Serialize)]
struct EpisodeView {
    id: u64,
    cause: &'static str,
    place: String,
    time: String,
    extra_records: String,
    groups: String,
    amounts: String,
    is_ongoing: bool,
    is_open: bool,
    picture: Option<Picture>,
}

/// Two lanes of offsets and the links between them.
#[derive(Debug, Serialize)]
struct Picture {
    originals: Lane,
    extras: Lane,
    links: Vec<Link>,
    is_shared: bool,
    summary: String,
}

/// A stretch of offsets.
#[derive(Debug, Serialize)]
struct Lane {
    place: String,
    offsets: String,
    x: String,
    width: String,
}

/// A line from an original to its repeat.
#[derive(Debug, Serialize)]
struct Link {
    from: String,
    to: String,
}

/// Returns the episodes, the worst first.
pub(super) fn episodes(episodes: &[Episode]) -> EpisodesView {
    let shown = episodes.iter().take(EPISODES_MAX).enumerate();
    EpisodesView {
        shown: shown
            .map(|(index, one)| episode(one, index < UNFOLDED))
            .collect(),
        total: grouped(u64::try_from(episodes.len()).unwrap_or(u64::MAX)),
        more: episodes.len().saturating_sub(EPISODES_MAX),
    }
}

fn episode(episode: &Episode, is_open: bool) -> EpisodeView {
    let time = match (
        episode.first_timestamp_millis,
        episode.last_timestamp_millis,
    ) {
        (Some(first), Some(last)) if last / 1_000 > first / 1_000 => from_to(first, last),
        (Some(first), _) => format!("{} UTC", date_and_time(first)),
        (None, _) => String::new(),
    };
    EpisodeView {
        id: episode.id,
        cause: episode.cause.code(),
        place: place(episode.topic.as_deref(), episode.partition),
        time,
        extra_records: counted(episode.extra_records, "extra record"),
        groups: counted(episode.groups, "group"),
        amounts: amounts::line(&episode.amounts),
        is_ongoing: episode.is_ongoing,
        is_open,
        picture: picture(episode),
    }
}

fn place(topic: Option<&str>, partition: Option<i32>) -> String {
    match (topic, partition) {
        (Some(topic), Some(partition)) => format!("{}-{partition}", short(topic)),
        (Some(topic), None) => short(topic),
        (None, _) => String::new(),
    }
}

/// Returns the picture, where both lanes are known.
fn picture(episode: &Episode) -> Option<Picture> {
    let originals = episode.original_offsets.clone()?;
    let extras = episode.extra_offsets.clone()?;
    let is_one_partition =
        episode.original_topic == episode.topic && episode.original_partition == episode.partition;
    let both = originals.start.min(extras.start)..originals.end.max(extras.end);
    let longer = length(&originals).max(length(&extras));
    let is_shared = is_one_partition && length(&both) <= longer.saturating_mul(SHARED_SCALE_MAX);
    let (of_originals, of_extras) = if is_shared {
        (both.clone(), both)
    } else {
        (originals.clone(), extras.clone())
    };
    let link = |(original, extra): (i64, i64)| Link {
        from: middle(original, &of_originals),
        to: middle(extra, &of_extras),
    };
    let links: Vec<Link> = episode.links.pairs().map(link).collect();
    let original_place = place(
        episode.original_topic.as_deref(),
        episode.original_partition,
    );
    let extra_place = place(episode.topic.as_deref(), episode.partition);
    Some(Picture {
        summary: summary(
            episode,
            &originals,
            &extras,
            (&original_place, &extra_place),
        ),
        originals: lane(original_place, &originals, &of_originals),
        extras: lane(extra_place, &extras, &of_extras),
        links,
        is_shared,
    })
}

fn summary(
    episode: &Episode,
    originals: &Range<i64>,
    extras: &Range<i64>,
    (original_place, extra_place): (&str, &str),
) -> String {
    format!(
        "{} at offsets {} to {} of {extra_place}; their originals lie at {} to {} of \
         {original_place}, {} offsets before",
        counted(episode.extra_records, "extra record"),
        extras.start,
        extras.end.saturating_sub(1),
        originals.start,
        originals.end.saturating_sub(1),
        grouped(extras.start.saturating_sub(originals.start)),
    )
}

fn lane(place: String, offsets: &Range<i64>, scale: &Range<i64>) -> Lane {
    let start = along(offsets.start, scale);
    Lane {
        place,
        offsets: format!("[{}, {})", offsets.start, offsets.end),
        x: tenths(start),
        width: tenths((along(offsets.end, scale) - start).max(20)),
    }
}

fn length(offsets: &Range<i64>) -> i128 {
    (i128::from(offsets.end) - i128::from(offsets.start)).max(1)
}

/// Returns where an offset begins on a scale, in tenths.
fn along(offset: i64, scale: &Range<i64>) -> i64 {
    let from_start = i128::from(offset) - i128::from(scale.start);
    let place = from_start.clamp(0, length(scale)) * WIDTH / length(scale);
    i64::try_from(place).unwrap_or_default()
}

fn middle(offset: i64, scale: &Range<i64>) -> String {
    let next = along(offset.saturating_add(1), scale);
    tenths(along(offset, scale).midpoint(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn a_batch_that_came_back_at_once_lies_beside_itself_on_one_scale() {
        let picture = picture(&sample().episodes[0]).unwrap();
        assert!(picture.is_shared);
        let lanes = [&picture.originals, &picture.extras].map(|lane| (&*lane.x, &*lane.width));
        assert_eq!(lanes, [("0", "500"), ("500", "500")]);
        assert_eq!(
            (&*picture.links[0].from, &*picture.links[0].to),
            ("6.9", "506.9")
        );
        let said = "1 extra record at offsets 88646 to 88681 of charges-1; their originals lie at \
                    88610 to 88645 of charges-1, 36 offsets before";
        assert_eq!(picture.summary, said);
    }

    #[test]
    fn far_apart_each_lane_has_its_own_scale_and_the_ends_of_numbers_are_drawn() {
        let mut episode = sample().episodes.remove(0);
        episode.extra_offsets = Some(900_000..900_036);
        assert!(!picture(&episode).unwrap().is_shared);
        episode.original_offsets = Some(i64::MIN..i64::MAX);
        episode.extra_offsets = Some(i64::MAX..i64::MAX);
        episode.links.add(i64::MIN, i64::MAX);
        assert_eq!(picture(&episode).unwrap().originals.width, "1000");
        episode.extra_offsets = None;
        assert!(picture(&episode).is_none());
    }
}
