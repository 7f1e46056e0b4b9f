//! How a database is reached, as libpq is told: an address, a service, variables, `.pgpass`.

mod address;
mod files;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use postgres::Config;

use crate::source::postgres::error::PostgresError;
use crate::source::postgres::tls::TlsRequest;

/// Looks a variable of the environment up.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What stands for a password that a report does not show.
const MASK: &str = "***";

/// Variables of libpq, and the parameters that they set.
const VARIABLES: [(&str, &str); 12] = [
    ("PGHOST", "host"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGDATABASE", "dbname"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGOPTIONS", "options"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
];

/// Where a server on this machine listens.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// How a database is reached.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Config,
    pub(super) tls: TlsRequest,
    /// Whether the address holds the password, where everyone can read it.
    pub has_typed_password: bool,
}

impl fmt::Debug for PostgresSettings {
    /// Leaves the password out.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PostgresSettings")
            .field("hosts", &self.config.get_hosts())
            .field("dbname", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}

impl PostgresSettings {
    /// Returns the settings for an address: a URL, or `name=value` parameters, as for psql.
    pub fn of_address(address: &str, environment: Environment<'_>) -> Result<Self, PostgresError> {
        let mut parameters = address::parse(address)?;
        if parameters.get("password").is_some_and(|of| of == MASK) {
            parameters.remove("password");
        }
        let has_typed_password = parameters.contains_key("password");
        let service = parameters.remove("service");
        if let Some(service) = service.or_else(|| environment("PGSERVICE")) {
            for (name, value) in files::service(&service, environment)? {
                parameters.entry(name).or_insert(value);
            }
        }
        for (variable, name) in VARIABLES {
            if let Some(value) = environment(variable).filter(|value| !value.is_empty()) {
                parameters.entry(name.to_owned()).or_insert(value);
            }
        }
        add_defaults(&mut parameters, environment);
        Self::of_parameters(parameters, environment, has_typed_password)
    }

    fn of_parameters(
        mut parameters: BTreeMap<String, String>,
        environment: Environment<'_>,
        has_typed_password: bool,
    ) -> Result<Self, PostgresError> {
        let home = environment("HOME").map(PathBuf::from);
        let tls = TlsRequest::take(&mut parameters, home.as_deref())?;
        let passfile = parameters.remove("passfile").map(PathBuf::from);
        if !parameters.contains_key("password") {
            let passfile = passfile.or_else(|| Some(home?.join(".pgpass")));
            let found = passfile.and_then(|path| files::password(&path, &parameters));
            parameters.extend(found.map(|password| ("password".to_owned(), password)));
        }
        let mut config = Config::new();
        for (name, value) in &parameters {
            set(&mut config, name, value)?;
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        config.ssl_mode(tls.mode());
        Ok(Self {
            config,
            tls,
            has_typed_password,
        })
    }

    /// Returns the place for messages, without a secret.
    pub(super) fn place(&self) -> String {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(shown).collect();
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        format!("{}:{}/{database}", hosts.join(","), ports.join(","))
    }
}

fn shown(host: &postgres::config::Host) -> String {
    match host {
        postgres::config::Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        postgres::config::Host::Unix(folder) => folder.display().to_string(),
    }
}

fn add_defaults(parameters: &mut BTreeMap<String, String>, environment: Environment<'_>) {
    let mut set =
        |name: &str, value: String| parameters.entry(name.to_owned()).or_insert(value).clone();
    let has_socket = SOCKET_FOLDERS
        .iter()
        .find(|folder| PathBuf::from(folder).join(".s.PGSQL.5432").exists());
    set("host", (*has_socket.unwrap_or(&"localhost")).to_owned());
    set("port", "5432".to_owned());
    let user = environment("USER").or_else(|| environment("LOGNAME"));
    let user = set("user", user.unwrap_or_else(|| "postgres".to_owned()));
    set("dbname", user);
}

fn set(config: &mut Config, name: &str, value: &str) -> Result<(), PostgresError> {
    let wrong = || PostgresError::Configuration(format!("`{name}` cannot be `{value}`"));
    match name {
        "host" => {
            for host in value.split(',') {
                config.host(host);
            }
        }
        "hostaddr" => {
            for address in value.split(',') {
                config.hostaddr(address.parse().map_err(|_| wrong())?);
            }
        }
        "port" => {
            for port in value.split(',') {
                config.port(port.parse().map_err(|_| wrong())?);
            }
        }
        "user" => drop(config.user(value)),
        "dbname" => drop(config.dbname(value)),
        "password" => drop(config.password(value)),
        "options" => drop(config.options(value)),
        "connect_timeout" => {
            let seconds = value.parse().map_err(|_| wrong())?;
            config.connect_timeout(Duration::from_secs(seconds));
        }
        // We have a name of our own, and what else psql may be told changes nothing here.
        "application_name"
        | "fallback_application_name"
        | "client_encoding"
        | "gssencmode"
        | "channel_binding"
        | "target_session_attrs"
        | "keepalives"
        | "sslcompression"
        | "krbsrvname"
        | "sslsni" => {}
        _ => {
            let text = format!("there is no parameter `{name}` of a connection");
            return Err(PostgresError::Configuration(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str, variables: &[(&str, &str)]) -> PostgresSettings {
        let found = |name: &str| {
            let pair = variables.iter().find(|(of, _)| *of == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        PostgresSettings::of_address(address, &found).unwrap()
    }

    #[test]
    fn an_address_goes_before_a_service_before_variables() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(
            &file,
            "# ours\n[store]\nhost=db-1\nuser=auditor\nport=6000\n",
        )
        .unwrap();
        let variables = [
            ("PGSERVICEFILE", file.to_str().unwrap()),
            ("PGHOST", "other"),
            ("PGDATABASE", "messages"),
            ("PGPASSWORD", "hunter2"),
        ];
        let settings = of("postgresql:///?service=store&port=7000", &variables);
        assert_eq!(settings.place(), "db-1:7000/messages");
        assert_eq!(settings.config.get_user(), Some("auditor"));
        assert_eq!(settings.config.get_password(), Some(&b"hunter2"[..]));
        assert!(!settings.has_typed_password);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_password_is_looked_for_where_libpq_looks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".pgpass");
        let text = "other:*:*:*:no\ndb\\:1:*:*:me:no\ndb-1:*:store:me:a\\:b\n*:*:*:*:last\n";
        std::fs::write(&file, text).unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("link")).unwrap();
        let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, mode(0o600)).unwrap();
        let home = [("HOME", folder.path().to_str().unwrap())];
        let password = |address: &str| {
            let settings = of(address, &home);
            let password = settings.config.get_password();
            password.map(|of| String::from_utf8(of.to_vec()).unwrap())
        };
        assert_eq!(password("postgresql://me@db-1/store").unwrap(), "a:b");
        assert_eq!(password("host=db-1 user=you dbname=store").unwrap(), "last");
        let typed = of("postgresql://me:typed@db-1/store", &home);
        assert!(typed.has_typed_password);
        let masked = of("postgresql://me:***@db-1/store", &home);
        assert!(!masked.has_typed_password);
        // libpq does not read what others can read.
        std::fs::set_permissions(&file, mode(0o644)).unwrap();
        assert_eq!(password("postgresql://me@db-1/store"), None);
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_secrets() {
        for address in [
            "",
            "db-1",
            "http://db-1/store",
            "postgresql://me:hunter2@db-1:port/store",
            "postgresql://me:hunter2@db-1/store?sslmode=perhaps",
            "postgresql://me:hunter2@db-1/store?nope=1",
            "host=db-1 password='hunter2",
            "postgresql://me:hunter2@db-1/%zz",
        ] {
            let settings = PostgresSettings::of_address(address, &|_| None);
            let error = settings.unwrap_err();
            let is_usage = matches!(error, PostgresError::Configuration(_));
            assert!(is_usage, "{address}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
