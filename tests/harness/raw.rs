//! A receiver that does to a connection what no HTTP library would.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use crate::{log::HOOK, socket::read_request};

/// What a raw receiver does with a request.
#[derive(Debug, Clone)]
pub enum RawAnswer {
    /// Writes this, and waits for the next request on the connection.
    Write(Vec<u8>),
    /// Writes this, and closes the connection.
    WriteAndClose(Vec<u8>),
    /// Writes this, and then nothing, but keeps the connection.
    WriteAndStall(Vec<u8>),
    /// Writes this, and then bytes for as long as somebody reads them.
    WriteForEver(Vec<u8>),
}

impl RawAnswer {
    /// A whole answer 200 with this body, after which the connection stays.
    pub fn ok(body: &str) -> Self {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Self::Write(answer.into())
    }
}

type Script = dyn Fn(usize, usize) -> RawAnswer + Send + Sync;

/// A TCP server that answers by a script.
#[derive(Debug)]
pub struct RawReceiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl RawReceiver {
    /// Starts one. `script` is asked with the number of the connection and that of the request on it, from 1.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn start(script: impl Fn(usize, usize) -> RawAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, noted): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&requests));
        thread::spawn(move || {
            for (connection, stream) in (1..).zip(listener.incoming().map_while(Result::ok)) {
                let (script, noted) = (Arc::clone(&script), Arc::clone(&noted));
                // Whoever closes ends it.
                thread::spawn(move || drop(serve(&stream, connection, &*script, &noted)));
            }
        });
        Self { address, requests }
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        format!("http://{}{HOOK}", self.address)
    }

    /// The requests that arrived whole: each with the number of its connection and its own on that.
    pub fn requests(&self) -> Vec<(usize, usize)> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    stream: &TcpStream,
    connection: usize,
    script: &Script,
    noted: &Mutex<Vec<(usize, usize)>>,
) -> io::Result<()> {
    let (mut reader, mut writer) = (stream, stream);
    for request in 1.. {
        read_request(&mut reader)?;
        noted.lock().unwrap_or_else(PoisonError::into_inner).push((connection, request));
        match script(connection, request) {
            RawAnswer::Write(bytes) => writer.write_all(&bytes)?,
            RawAnswer::WriteAndClose(bytes) => return writer.write_all(&bytes),
            RawAnswer::WriteAndStall(bytes) => {
                writer.write_all(&bytes)?;
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
            RawAnswer::WriteForEver(bytes) => {
                writer.write_all(&bytes)?;
                loop {
                    writer.write_all(&[b'x'; 1024])?;
                }
            }
        }
    }
    Ok(())
}
