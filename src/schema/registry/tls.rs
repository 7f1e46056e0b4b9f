//! TLS to a registry: authorities and client certificate as the settings say.

use std::fs;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::schema::registry::settings::RegistrySettings;

/// Returns what TLS is set up from; the error names the property that is wrong.
pub(super) fn config(settings: &RegistrySettings) -> Result<TlsConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(authorities(settings)?)
        .client_cert(client_certificate(settings)?)
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn authorities(settings: &RegistrySettings) -> Result<RootCerts, String> {
    let place = settings.first_of(&["ssl.ca.location", "ssl.truststore.location"]);
    let certificates = match place {
        Some((name, path)) => certificates(name, path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let certificates: Vec<_> = certificates.iter().map(as_certificate).collect();
    Ok(RootCerts::new_with_certs(&certificates))
}

fn client_certificate(settings: &RegistrySettings) -> Result<Option<ClientCert>, String> {
    let chain = settings.first_of(&["ssl.certificate.location", "ssl.keystore.location"]);
    let key = settings.first_of(&["ssl.key.location", "ssl.keystore.location"]);
    let (Some((chain_name, chain)), Some((key_name, key))) = (chain, key) else {
        return match (chain, key) {
            (None, None) => Ok(None),
            _ => Err(
                "a client certificate needs both schema.registry.ssl.certificate.location and \
                 schema.registry.ssl.key.location"
                    .to_owned(),
            ),
        };
    };
    let chain = certificates(chain_name, chain)?;
    let chain: Vec<_> = chain.iter().map(as_certificate).collect();
    let pem = read(key_name, key)?;
    let key = PrivateKey::from_pem(&pem).map_err(|_| {
        let problem = "no private key in PEM, or one behind a password";
        format!("schema.registry.{key_name}={key}: {problem}")
    })?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

fn as_certificate(der: &CertificateDer<'_>) -> Certificate<'static> {
    Certificate::from_der(der).to_owned()
}

fn certificates(name: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(name, path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!(
            "schema.registry.{name}={path}: no certificate in PEM in it"
        )),
    }
}

fn read(name: &str, path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("schema.registry.{name}={path}: {error}"))
}
