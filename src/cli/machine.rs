//! What the process may use of the machine: memory and processors.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// Memory where nothing says how much there is: 2 GiB.
const UNKNOWN_MEMORY_BYTES: u64 = 2 << 30;

/// Returns how many threads run at the same time.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the memory that the process may use: the machine's, or less by a control group
/// or a limit of the process.
pub fn memory_bytes() -> u64 {
    usable_memory(&|path| fs::read_to_string(path).ok())
}

type ReadFile<'a> = &'a dyn Fn(&Path) -> Option<String>;

fn usable_memory(read: ReadFile<'_>) -> u64 {
    let installed = read(Path::new("/proc/meminfo")).and_then(|text| installed_memory(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let process = read(Path::new("/proc/self/limits")).unwrap_or_default();
    groups
        .lines()
        .filter_map(|line| group_limit(line, read))
        .chain(installed)
        .chain(address_space(&process))
        .min()
        .unwrap_or(UNKNOWN_MEMORY_BYTES)
}

fn installed_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Returns what `ulimit -v` leaves of the address space; `unlimited` is no number.
fn address_space(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A group cannot use more than any group that it lies in.
fn group_limit(line: &str, read: ReadFile<'_>) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?);
    let (root, file) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|name| name == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return None;
    };
    let mut folder = PathBuf::from(root);
    let outermost = folder.clone();
    folder.extend(Path::new(group).strip_prefix("/").ok());
    folder
        .ancestors()
        .take_while(|folder| folder.starts_with(&outermost))
        .filter_map(|folder| read(&folder.join(file))?.trim().parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_files(files: &[(&str, &str)]) -> u64 {
        usable_memory(&|path| {
            let (_, text) = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some((*text).to_owned())
        })
    }

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\n");

    #[test]
    fn without_control_groups_it_is_what_is_installed() {
        assert_eq!(with_files(&[MEMINFO]), 8 << 30);
        assert_eq!(with_files(&[]), UNKNOWN_MEMORY_BYTES);
    }

    #[test]
    fn the_least_of_the_groups_around_the_process_counts() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "0::/outer/inner\n"),
            ("/sys/fs/cgroup/outer/inner/memory.max", "max\n"),
            ("/sys/fs/cgroup/outer/memory.max", "1073741824\n"),
            ("/sys/fs/cgroup/memory.max", "2147483648\n"),
            ("/sys/fs/memory.max", "1\n"),
        ];
        assert_eq!(with_files(&files), 1 << 30);
    }

    #[test]
    fn the_older_control_groups_count_too() {
        let files = [
            MEMINFO,
            ("/proc/self/cgroup", "5:cpu:/a\n4:blkio,memory:/a\n"),
            (
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "536870912\n",
            ),
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        assert_eq!(with_files(&files), 512 << 20);
    }

    #[test]
    fn the_address_space_is_a_limit_too() {
        let limits =
            |space: &str| format!("Max data size  1  1  bytes\nMax address space  {space}");
        let of = |space: &str| with_files(&[MEMINFO, ("/proc/self/limits", &limits(space))]);
        assert_eq!(of("307200000  unlimited  bytes\n"), 307_200_000);
        assert_eq!(of("unlimited  unlimited  bytes\n"), 8 << 30);
    }

    #[test]
    fn this_machine_has_memory_and_threads() {
        assert!(memory_bytes() > 0);
        assert!(threads() > 0);
    }
}
