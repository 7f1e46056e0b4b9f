//! The identities of records in well-known systems, each by a name.

mod catalogue;

pub use catalogue::PRESETS;

/// What makes two records of a system the same, in the words of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, as typed after `--preset`.
    pub name: &'static str,
    /// What it finds, in a line.
    pub finds: &'static str,
    /// What to know before trusting it; empty where there is nothing.
    pub note: &'static str,
    /// The fields of `--by`.
    pub by: &'static [&'static str],
    /// The condition of `--where`.
    pub filter: Option<&'static str>,
    /// The duration of `--within`.
    pub within: Option<&'static str>,
    /// Whether records that lack a part of the dedup key are grouped too.
    pub groups_missing: bool,
    /// The field of `--amount`.
    pub amount: Option<&'static str>,
    /// Whether the amount counts cents and the like.
    pub is_amount_minor: bool,
    /// The field of `--currency`.
    pub currency: Option<&'static str>,
    /// The field of `--subject`.
    pub subject: Option<&'static str>,
    /// Fields by which records of the system are known, some with their value after `=`; none
    /// where nothing but people can tell.
    pub signs: &'static [&'static str],
}

impl Preset {
    /// A preset that sets nothing.
    const NONE: Self = Self {
        name: "",
        finds: "",
        note: "",
        by: &[],
        filter: None,
        within: None,
        groups_missing: false,
        amount: None,
        is_amount_minor: false,
        currency: None,
        subject: None,
        signs: &[],
    };

    /// Returns the preset of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// Returns every name, in the order in which they are listed.
    pub fn names() -> Vec<&'static str> {
        PRESETS.iter().map(|preset| preset.name).collect()
    }

    /// Returns what it sets, as pairs of an option and its value, in the order of the help.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = vec![("--by", self.by.join(","))];
        let mut add = |option, value: Option<&str>| {
            options.extend(value.map(|value| (option, value.to_owned())));
        };
        add("--where", self.filter);
        add("--within", self.within);
        add("--missing", self.groups_missing.then_some("group"));
        add("--amount", self.amount);
        add("--amount-unit", self.is_amount_minor.then_some("minor"));
        add("--currency", self.currency);
        add("--subject", self.subject);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FieldPath;

    #[test]
    fn names_are_told_apart_and_say_what_they_find() {
        for (index, preset) in PRESETS.iter().enumerate() {
            assert_eq!(Preset::find(preset.name), Some(preset));
            assert!(
                PRESETS[..index]
                    .iter()
                    .all(|other| other.name != preset.name)
            );
            assert!(
                !preset.finds.is_empty() && !preset.by.is_empty(),
                "{}",
                preset.name
            );
            assert!(!preset.is_amount_minor || preset.amount.is_some());
            assert!(preset.currency.is_none() || preset.amount.is_some());
        }
    }

    #[test]
    fn every_field_is_one() {
        for preset in PRESETS {
            let fields = preset.by.iter().map(|by| by.split('|').next().unwrap());
            let others = [preset.amount, preset.currency, preset.subject];
            let signs = preset
                .signs
                .iter()
                .map(|sign| sign.split('=').next().unwrap());
            for field in fields.chain(others.into_iter().flatten()).chain(signs) {
                let path = FieldPath::parse(field).unwrap();
                assert_eq!(FieldPath::parse(&path.to_string()), Ok(path), "{field}");
            }
        }
    }

    #[test]
    fn only_what_is_set_is_an_option() {
        let options = Preset::find("stripe-event").unwrap().options();
        let names: Vec<_> = options.iter().map(|(option, _)| *option).collect();
        let expected = [
            "--by",
            "--amount",
            "--amount-unit",
            "--currency",
            "--subject",
        ];
        assert_eq!(names, expected);
        assert_eq!(Preset::find("kafka-bytes").unwrap().options()[1].1, "group");
    }
}
