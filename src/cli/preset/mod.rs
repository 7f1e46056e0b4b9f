//! `--preset` fills in what was not typed; `presets` lists them.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::cli::flags::{AmountUnitFlag, DedupKeyFlags, ImpactFlags, MissingFlag, ScanFlags};
use crate::preset::Preset;

/// Options of `presets`.
#[derive(Args, Debug)]
pub struct PresetsFlags {
    /// The one to show [default: a list of all]
    #[arg(value_name = "NAME", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(Preset::names()))]
    pub name: Option<String>,
}

/// Returns the preset that `presets` is to show, if one was named.
pub fn shown(flags: &PresetsFlags) -> Option<&'static Preset> {
    flags.name.as_deref().and_then(Preset::find)
}

/// Presets of outboxes: what was published twice has the id of one row.
const OUTBOXES: [&str; 2] = ["outbox", "debezium-outbox"];

/// Returns the preset that `--preset` names. Within a table no id comes twice, so that an outbox
/// alone is read by what it says; beside what was published of it the id is where either has it.
pub fn find(flags: &ScanFlags) -> Option<&'static Preset> {
    let name = flags.audit.dedup_key.preset.as_deref()?;
    let has_table = !flags.audit.store.table.is_empty() || flags.audit.store.query.is_some();
    let has_others = !flags.audit.sources.topic.is_empty() || !flags.audit.sources.files.is_empty();
    Preset::find(match (OUTBOXES.contains(&name) && has_table, has_others) {
        (true, false) => "outbox-table",
        (true, true) => "outbox",
        (false, _) => name,
    })
}

/// Returns what makes two records the same, as typed or else as the preset says.
pub fn with_dedup_key(flags: &DedupKeyFlags, preset: Option<&Preset>) -> DedupKeyFlags {
    let mut flags = flags.clone();
    let Some(preset) = preset else {
        return flags;
    };
    if flags.by.is_empty() {
        flags.by = preset.by.iter().map(|&by| by.to_owned()).collect();
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    flags.filter = flags.filter.or_else(|| owned(preset.filter));
    flags.within = flags.within.or_else(|| owned(preset.within));
    let missing = preset.groups_missing.then_some(MissingFlag::Group);
    flags.missing = flags.missing.or(missing);
    flags
}

/// Returns what is at risk, as typed or else as the preset says. A currency and a unit belong to
/// their amount: where another is typed, the preset's are of no use.
pub fn with_impact(flags: &ImpactFlags, preset: Option<&Preset>) -> ImpactFlags {
    let mut flags = flags.clone();
    let Some(preset) = preset else {
        return flags;
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    if flags.amount.is_none() {
        flags.amount = owned(preset.amount);
        flags.currency = flags.currency.or_else(|| owned(preset.currency));
        let unit = preset.is_amount_minor.then_some(AmountUnitFlag::Minor);
        flags.amount_unit = flags.amount_unit.or(unit);
    }
    flags.subject = flags.subject.or_else(|| owned(preset.subject));
    flags
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::flags::{CommandFlags, Flags};
    use crate::cli::resolve::{self, RunContext};
    use crate::command::ScanCommand;
    use crate::dedup_key::MissingPolicy;
    use crate::impact::AmountUnit;
    use crate::preset::PRESETS;

    fn scan(arguments: &[&str]) -> ScanCommand {
        let all = ["dupaudit", "scan", "a.jsonl"].iter().chain(arguments);
        let CommandFlags::Scan(flags) = Flags::try_parse_from(all).unwrap().command else {
            panic!("a scan")
        };
        let context = RunContext {
            command_line: Vec::new(),
            now_millis: 0,
            environment: &|_| None,
            memory_bytes: 8 << 30,
            threads: 1,
        };
        resolve::scan(&flags, context).unwrap()
    }

    fn by(scan: &ScanCommand) -> Vec<String> {
        let fields = scan.plan.dedup_key.fields.iter();
        fields.map(ToString::to_string).collect()
    }

    #[test]
    fn every_preset_is_a_scan() {
        for preset in PRESETS {
            let scan = scan(&["--preset", preset.name]);
            assert_eq!(scan.preset, Some(preset.name));
            assert_eq!(scan.plan.dedup_key.fields.len(), preset.by.len());
            assert_eq!(scan.plan.filter.is_some(), preset.filter.is_some());
            assert_eq!(scan.plan.impact.amount.is_some(), preset.amount.is_some());
        }
    }

    #[test]
    fn a_preset_sets_what_was_not_typed() {
        let scan = scan(&["--preset", "stripe-event"]);
        assert_eq!(by(&scan), ["value.id"]);
        assert_eq!(scan.plan.impact.unit, AmountUnit::Minor);
        assert!(scan.plan.impact.currency.is_some() && scan.plan.impact.subject.is_some());
        let bytes = self::scan(&["--preset", "kafka-bytes"]);
        assert_eq!(bytes.plan.dedup_key.missing, MissingPolicy::Group);
        let charges = self::scan(&["--preset", "charge-semantic"]);
        assert_eq!(charges.plan.within_millis, Some(86_400_000));
    }

    #[test]
    fn what_is_typed_wins() {
        let preset = ["--preset", "stripe-event"];
        let typed = ["--by", "key", "--amount", "total", "--subject", "who"];
        let scan = scan(&[&preset[..], &typed].concat());
        assert_eq!(by(&scan), ["key"]);
        let impact = &scan.plan.impact;
        assert_eq!(impact.amount.as_ref().unwrap().short(), "total");
        assert_eq!((impact.unit, &impact.currency), (AmountUnit::Major, &None));
        assert_eq!(impact.subject.as_ref().unwrap().short(), "who");
        let more = [
            "--preset",
            "debezium-pg",
            "--where",
            "value.op == 'c'",
            "--missing",
            "skip",
        ];
        let scan = self::scan(&more);
        assert_eq!(scan.plan.filter.unwrap().to_string(), "value.op == 'c'");
    }

    #[test]
    fn a_name_that_is_close_is_proposed() {
        let error = Flags::try_parse_from(["dupaudit", "scan", "a", "--preset", "cloudevent"]);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("a similar value exists: 'cloudevents'"),
            "{text}"
        );
    }
}
