//! A real Postgres server with the real Message DB, for one test.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Workspace, free_ports, text};

/// Runs the server until its own input ends, which it does with the test.
const WATCHER: &str = r#"
"$@" </dev/null >"$FOLDER/server.log" 2>&1 &
server=$!
trap '' INT TERM HUP
read -r _
kill -QUIT $server
wait $server 2>/dev/null
"#;

/// Two outputs that follow one input are by causation what was processed twice.
pub(crate) const CAUSATION: &str =
    "type,metadata.causationMessageStreamName,metadata.causationMessagePosition";

/// A server on a socket in a folder of its own.
pub(crate) struct Postgres {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    /// Holds the socket and the data.
    folder: tempfile::TempDir,
    message_db: PathBuf,
    watcher: Child,
    /// Ends the server when it is closed.
    lifeline: Option<ChildStdin>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        drop(self.watcher.wait());
    }
}

impl Postgres {
    /// Starts a server and installs Message DB in it, or says what is missing.
    pub(crate) fn with_message_db() -> Result<Self, String> {
        let programs = programs()?;
        let message_db = message_db()?;
        let folder = tempfile::tempdir().map_err(text)?;
        let data = folder.path().join("data");
        let user = server_user(folder.path())?;
        let mut as_user = user.clone();
        as_user.push(programs.join("initdb").display().to_string());
        let options = ["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"];
        as_user.extend(options.map(str::to_owned));
        as_user.extend(["--locale=C".to_owned(), "-D".to_owned(), shown(&data)]);
        output(Command::new(&as_user[0]).args(&as_user[1..]))?;
        let [port] = free_ports()?;
        let mut watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .args(&user)
            .arg(programs.join("postgres"))
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-p"])
            .arg(port.to_string())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .env("FOLDER", folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let lifeline = watcher.stdin.take();
        let server = Self {
            port,
            folder,
            message_db,
            watcher,
            lifeline,
        };
        server.wait_until_it_answers()?;
        server.install()?;
        Ok(server)
    }

    fn wait_until_it_answers(&self) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(50);
        loop {
            match self.client("psql").args(["-c", "select 1"]).output() {
                Ok(answer) if answer.status.success() => return Ok(()),
                Err(error) => return Err(format!("`psql`: {error}")),
                Ok(_) if Instant::now() < deadline => {}
                Ok(_) => {
                    let log = fs::read_to_string(self.folder.path().join("server.log"));
                    return Err(format!("Postgres does not answer: {log:?}"));
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn install(&self) -> Result<(), String> {
        let script = self.message_db.join("database/install.sh");
        output(self.client("bash").arg(script)).map(drop)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("PGHOST", self.folder.path())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .stdin(Stdio::null());
        command
    }

    /// Returns the address of the store for a role.
    pub(crate) fn address(&self, role: &str) -> String {
        format!("postgresql://{role}@127.0.0.1:{}/message_store", self.port)
    }

    /// Returns the folder of the data, and of the socket above it.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs a command of `psql` in a folder and returns what it prints.
    pub(crate) fn psql(&self, workspace: &Workspace, command: &str) -> String {
        let path = "-c search_path=message_store";
        let mut psql = self.client("psql");
        psql.args([
            "-q",
            "--csv",
            "-v",
            "ON_ERROR_STOP=1",
            "message_store",
            "-c",
            command,
        ])
        .env("PGOPTIONS", path)
        .current_dir(workspace.path());
        output(&mut psql).unwrap()
    }

    /// Waits until a count is one.
    pub(crate) fn wait_until_one(&self, workspace: &Workspace, count: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.psql(workspace, count).contains('1') {
            assert!(Instant::now() < deadline, "never one: {count}");
        }
    }
}

/// Returns the folder of the server's programs.
fn programs() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = versions.flatten().map(|of| of.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let has_server = |folder: &PathBuf| folder.join("postgres").exists();
    let found = folders.into_iter().find(has_server);
    found.ok_or_else(|| "Postgres is not installed".to_owned())
}

/// Returns what runs the server as another user where root would, which it refuses to be.
fn server_user(folder: &Path) -> Result<Vec<String>, String> {
    let id = |arguments: &[&str]| -> Result<u32, String> {
        let said = output(Command::new("id").args(arguments))?;
        said.trim().parse().map_err(text)
    };
    if id(&["-u"])? != 0 {
        return Ok(vec!["env".to_owned()]);
    }
    chown(folder, Some(id(&["-u", "nobody"])?), None).map_err(text)?;
    // Takes its place, so that the watcher ends the server itself.
    let become_nobody = ["setpriv", "--reuid=nobody", "--clear-groups"];
    Ok(become_nobody.map(str::to_owned).to_vec())
}

/// Returns the folder of Message DB, fetching it from npm the first time.
fn message_db() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("message-db-1.3.1");
    fs::create_dir_all(&folder).map_err(text)?;
    let lock = fs::File::create(folder.join("lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    let package = folder.join("package");
    if !package.exists() {
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", "@eventide/message-db@1.3.1"]);
        let archive = output(npm.current_dir(&folder))?;
        let mut tar = Command::new("tar");
        tar.args(["xzf", archive.trim(), "--one-top-level=partial"]);
        output(tar.current_dir(&folder))?;
        fs::rename(folder.join("partial/package"), &package).map_err(text)?;
    }
    Ok(package)
}

/// Runs a program to its end and returns what it prints.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    Err(format!("`{program}`: {}", said(&output.stderr)))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
