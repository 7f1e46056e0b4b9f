//! What of all that Spark says is the reason why a job failed.

/// Lines of a reason.
const LINES_MAX: usize = 5;

/// What our own job begins its last words with.
const OWN: &str = "dupaudit-job: ";

/// Signs of a line that says why, the best first.
const SIGNS: [&str; 3] = ["Exception", "Error", "ERROR"];

/// Returns what is said of Java where there is none, or none that fits.
pub(super) fn no_java(said: &[String]) -> Option<String> {
    let signs = [
        "JAVA_HOME is not set",
        "UnsupportedClassVersionError",
        "/bin/java: No such file",
        "exec: java: not found",
    ];
    let is_sign = |line: &&String| signs.iter().any(|sign| line.contains(sign));
    said.iter().find(is_sign).map(|line| line.trim().to_owned())
}

/// Returns the lines that say why, in one.
pub(super) fn reason(said: &[String]) -> String {
    let own = said.iter().rev().find_map(|line| line.split_once(OWN));
    if let Some((_, reason)) = own {
        return reason.to_owned();
    }
    let lines: Vec<&str> = said
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !is_chatter(line))
        .collect();
    let says_why = |line: &&&str| SIGNS.iter().any(|sign| line.contains(sign));
    let telling: Vec<&str> = lines.iter().filter(says_why).copied().collect();
    let telling = if telling.is_empty() { lines } else { telling };
    let first = telling.len().saturating_sub(LINES_MAX);
    let kept = telling.get(first..).unwrap_or_default();
    if kept.is_empty() {
        return "it said nothing".to_owned();
    }
    kept.join("; ")
}

/// The log below errors, and the places in stacks.
fn is_chatter(line: &str) -> bool {
    let is_log = [" INFO ", " WARN ", " DEBUG "]
        .iter()
        .any(|level| line.get(..40).unwrap_or(line).contains(level));
    is_log || line.starts_with("at ") || line.starts_with("... ") || line.starts_with("File \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_jobs_own_words_are_the_reason() {
        let said = lines(
            "26/11/24 18:19:07 ERROR TaskSetManager: Task 0 in stage 0.0 failed 4 times\n\
             dupaudit-job: dupaudit merge ended with 4: error: no space left\n\
             26/11/24 18:19:08 INFO ShutdownHookManager: Shutdown hook called\n",
        );
        assert_eq!(
            reason(&said),
            "dupaudit merge ended with 4: error: no space left"
        );
    }

    #[test]
    fn a_failure_of_spark_is_told_without_its_log_and_stack() {
        let said = lines(
            "26/11/24 18:19:07 INFO SparkContext: Running Spark version 4.2.0\n\
             26/11/24 18:19:07 WARN Utils: hostname\n\
             Exception in thread \"main\" org.apache.spark.SparkException: Could not parse Master\n\
             \tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)\n",
        );
        let reason = reason(&said);
        assert!(
            reason.ends_with("SparkException: Could not parse Master"),
            "{reason}"
        );
        assert_eq!(
            super::reason(&lines("usage\n\nno such option")),
            "usage; no such option"
        );
        assert_eq!(super::reason(&[]), "it said nothing");
    }

    #[test]
    fn a_missing_java_is_told_apart() {
        let said = lines("x\nJAVA_HOME is not set\n");
        assert_eq!(no_java(&said).as_deref(), Some("JAVA_HOME is not set"));
        assert_eq!(no_java(&lines("java.io.IOException: x")), None);
    }
}
