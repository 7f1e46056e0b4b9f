//! Why the duplicates exist, how that is known, and what ends it.

use crate::finding::Cause;
use crate::finding::CauseTotal;
use crate::finding::Confidence;
use crate::report::ReportHead;
use crate::report::terminal::escape::visible;
use crate::report::terminal::layout::Screen;
use crate::report::terminal::layout::wrap;
use crate::report::terminal::numbers::counted;
use crate::report::terminal::numbers::grouped;

/// Causes with a line of their own at most.
const MOST_CAUSES: usize = 4;
/// Causes whose evidence is told at most.
const MOST_EXPLAINED: usize = 2;
/// Lines of evidence for a cause, or against it, where the first sentence needs no more.
const MOST_EVIDENCE_LINES: usize = 3;
/// Lines of advice, where its first part needs no more.
const MOST_ADVICE_LINES: usize = 2;

/// What the lines below a cause are called.
struct Labels {
    supporting: &'static str,
    contradicting: &'static str,
    advice: &'static str,
}

const DETERMINED: Labels = Labels {
    supporting: "   for",
    contradicting: "   against",
    advice: "   stop it",
};

const UNDETERMINED: Labels = Labels {
    supporting: "   seen",
    contradicting: "   why not",
    advice: "   to know",
};

/// Adds every cause, most extra records first.
pub(super) fn why(screen: &mut Screen, report: &ReportHead<'_>) {
    let causes = &report.summary.causes;
    for (index, total) in causes.iter().take(MOST_CAUSES).enumerate() {
        screen.labelled("WHY", &cause_text(report, total));
        if index < MOST_EXPLAINED {
            explanation(screen, total);
        }
    }
    let left = causes.get(MOST_CAUSES..).unwrap_or_default();
    if !left.is_empty() {
        let extra: u64 = left.iter().map(|total| total.extra_records).sum();
        let codes: Vec<&str> = left.iter().map(|total| total.cause.code()).collect();
        let codes = codes.join(", ");
        screen.below(&format!("and {codes} for {} extra", grouped(extra)));
    }
}

/// Returns `producer-retry: certain for 385 extra, strong for 234; 16 episodes`.
fn cause_text(report: &ReportHead<'_>, total: &CauseTotal) -> String {
    let code = total.cause.code();
    let episodes = report.episodes.iter();
    let episodes = episodes.filter(|episode| episode.cause == total.cause);
    let episodes = u64::try_from(episodes.count()).unwrap_or(u64::MAX);
    let mut text = if total.cause == Cause::Undetermined {
        format!("{code} for {} extra", grouped(total.extra_records))
    } else {
        format!("{code}: {}", confidences_text(&total.confidences))
    };
    if episodes > 0 {
        text.push_str("; ");
        text.push_str(&counted(episodes, "episode"));
    }
    text
}

fn confidences_text(confidences: &[(Option<Confidence>, u64)]) -> String {
    let part = |(index, (confidence, extra)): (usize, &(Option<Confidence>, u64))| {
        let confidence = confidence.map_or("unsure", Confidence::code);
        let noun = if index == 0 { " extra" } else { "" };
        format!("{confidence} for {}{noun}", grouped(*extra))
    };
    let parts: Vec<String> = confidences.iter().enumerate().map(part).collect();
    parts.join(", ")
}

fn explanation(screen: &mut Screen, total: &CauseTotal) {
    let is_determined = total.cause != Cause::Undetermined;
    let labels = if is_determined {
        DETERMINED
    } else {
        UNDETERMINED
    };
    if is_determined || !total.evidence.is_empty() {
        sentences(screen, labels.supporting, &total.evidence);
    }
    sentences(screen, labels.contradicting, &total.contrary);
    let advice: Vec<&str> = total.cause.advice().text.split("; ").collect();
    let (text, _) = fitted(&advice, screen, MOST_ADVICE_LINES);
    screen.labelled(labels.advice, &text);
}

fn sentences(screen: &mut Screen, label: &str, sentences: &[String]) {
    let sentences: Vec<String> = sentences.iter().map(|text| visible(text)).collect();
    let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let (text, left) = fitted(&sentences, screen, MOST_EVIDENCE_LINES);
    match (sentences.len(), left) {
        (0, _) => screen.labelled(label, "nothing found"),
        (_, 0) => screen.labelled(label, &text),
        (_, left) => screen.labelled(label, &format!("{text}; +{left} more")),
    }
}

/// Returns as many parts as fit into some lines, at least the first, and how many are left.
fn fitted(parts: &[&str], screen: &Screen, most_lines: usize) -> (String, usize) {
    /// Room for `; +99 more`.
    const MORE: &str = "; +99 more";
    let joined = |shown: usize| parts.get(..shown).unwrap_or_default().join("; ");
    let fits = |shown: &usize| {
        let more = if *shown < parts.len() { MORE } else { "" };
        let text = joined(*shown) + more;
        wrap(&text, screen.text_width()).len() <= most_lines
    };
    let shown = (1..=parts.len()).rev().find(fits);
    let shown = shown.unwrap_or(1).min(parts.len());
    (joined(shown), parts.len() - shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::Sample;
    use crate::report::sample::mixed;
    use crate::report::sample::sample;
    use crate::report::terminal::Style;

    fn shown(sample: &Sample, width: usize) -> String {
        let mut screen = Screen::new(width, Style::Plain);
        why(&mut screen, &sample.head());
        let mut output = Vec::new();
        screen.write_to(&mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn one_cause_has_its_evidence_and_its_remedy() {
        let expected = "\
WHY         producer-retry: certain for 2 extra, strong for 1; 3 episodes
   for      one batch of 36 records (CRC 9d3f01ac, 8119 B) stands at 88610 and
            at 88646; CreateTime is the same to the millisecond
   against  nothing found
   stop it  enable.idempotence=true on the producer, which needs acks=all,
            retries above 0 and at most 5 requests in flight
";
        assert_eq!(shown(&sample(), 80), expected);
    }

    #[test]
    fn several_causes_have_a_line_each_and_the_first_two_are_explained() {
        let expected = "\
WHY         application-resend: strong for 4 extra, weak for 3; 1 episode
   for      CreateTime is 5 s later: it was sent anew
   against  what a repeat does not change differs: value.amount
   stop it  have the consumer drop what it has done, by these fields, or send
            with a timeout above delivery.timeout.ms
WHY         undetermined for 5 extra; 1 episode
   seen     key, headers and value are the same bytes
   why not  missing: timestamps; producer-retry and application-resend explain
            it equally well
   to know  audit the topic itself or its segment files: they show timestamp
            types, producer ids and batches
WHY         mirror-copy: certain for 2 extra; 1 episode
WHY         producer-retry: certain for 1 extra; 1 episode
            and consumer-replay, dead-letter-copy for 2 extra
";
        assert_eq!(shown(&mixed(), 80), expected);
    }

    #[test]
    fn what_of_the_evidence_has_no_room_is_counted() {
        let mut sample = sample();
        let sentence = "a sentence that takes all but two of the columns there, or 66 chars";
        sample.summary.causes[0].evidence = vec![sentence.to_owned(); 9];
        let text = shown(&sample, 80);
        let line = format!("   for      {sentence};\n            {sentence};\n");
        let line = format!("{line}            +7 more\n");
        assert!(text.contains(&line), "{text}");
        sample.summary.causes[0].evidence = vec![sentence.repeat(9)];
        assert!(!shown(&sample, 80).contains("more"));
    }

    #[test]
    fn what_is_undetermined_without_evidence_says_what_is_missing() {
        let mut sample = mixed();
        sample.summary.causes.swap(0, 1);
        sample.summary.causes.truncate(1);
        sample.summary.causes[0].evidence.clear();
        let text = shown(&sample, 80);
        assert!(!text.contains("seen") && !text.contains("for  "), "{text}");
        assert!(
            text.contains("\n   why not  missing: timestamps;"),
            "{text}"
        );
    }
}
