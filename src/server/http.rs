//! The HTTP server: what `actix_web::HttpServer` puts together, around streams whose requests come one at a time.

use crate::api::connections::connection::Newcomers;
use crate::api::connections::in_turn::InTurn;
use crate::api::{self, State};
use crate::config::{self, millis};
use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Extensions};
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, Error};
use anyhow::Result;
use socket2::SockRef;
use std::future::ready;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::net::TcpStream;

/// What one connection gathers of an answer before it is read.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Time for an early answer to be read by a sender that is still sending: else it sees a reset and tries again.
const DISCONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// How connections are met.
#[derive(Clone)]
struct Welcome {
    newcomers: Newcomers,
    head_patience: Duration,
    write_patience: Duration,
}

/// Serves on `listener` once it is run.
///
/// # Errors
/// Where nothing can be accepted on it.
pub fn server(
    settings: &config::Server,
    listener: TcpListener,
    state: Data<State>,
) -> Result<Server> {
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        workers => workers,
    };
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(settings.max_connections.div_ceil(workers))
        .shutdown_timeout(settings.shutdown_timeout_ms.div_ceil(1_000))
        .disable_signals();
    let stops = builder.graceful_shutdown_signal();
    let keep_alive = Duration::from_secs(settings.keep_alive_seconds);
    let described = Data::new(api::openapi::Described::new(&settings.public_url));
    let welcome = Welcome {
        newcomers: Newcomers::new(settings.max_new_connections),
        head_patience: millis(settings.header_timeout_ms),
        write_patience: millis(settings.write_timeout_ms.into()),
    };
    let service = move || {
        let app = App::new()
            .wrap(from_fn(api::observe))
            .wrap(api::tolerant_paths())
            .app_data(state.clone())
            .configure(|app| api::configure(app, &described))
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let (stops, welcome) = (stops.clone(), welcome.clone());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stops = stops.clone();
                async move { stops.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(welcome.head_patience)
            .client_disconnect_timeout(DISCONNECT_PATIENCE)
            // An answer waits in memory that is accounted for, not here.
            .h1_write_buffer_size(WRITE_BUFFER_BYTES)
            .on_connect_ext(|stream: &InTurn<TcpStream>, data: &mut Extensions| {
                data.insert(stream.connection().clone());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream| ready(welcome.meet(stream))).and_then(http)
    };
    Ok(builder.listen("http", listener, service)?.run())
}

impl Welcome {
    /// Bounds what a connection may hold: a place until its first request, and the time in which nothing of an answer is read, for which
    /// actix itself has no limit.
    fn meet(
        &self,
        stream: TcpStream,
    ) -> Result<(InTurn<TcpStream>, Option<SocketAddr>), DispatchError> {
        let no_place = || DispatchError::Io(ErrorKind::ConnectionRefused.into());
        let connection = self.newcomers.admit().ok_or_else(no_place)?;
        // Refused only where the other side has gone already.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(self.write_patience));
        let peer = stream.peer_addr().ok();
        Ok((InTurn::new(stream, connection, self.head_patience), peer))
    }
}
