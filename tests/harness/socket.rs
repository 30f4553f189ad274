//! A receiver that has a connection to itself: what it does there is no matter of requests and answers.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::log::HOOK;

/// How long a receiver that drips waits between two bytes.
const DRIP: Duration = Duration::from_millis(50);

/// What a receiver that floods writes at once, and how long it waits then: 16 MB a second, and a core is left to others.
const FLOOD_BYTES: usize = 16 * 1024;
const FLOOD: Duration = Duration::from_millis(1);

/// A TCP server that does the same with every connection.
#[derive(Debug)]
pub struct SocketReceiver {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    bytes_written: AtomicUsize,
}

/// A connection, as the receiver has it. What is written is counted.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    counts: Arc<Counts>,
}

impl SocketReceiver {
    /// Starts one that does `conduct` with each connection, on a thread of its own, and then closes it.
    ///
    /// # Panics
    ///
    /// If no port is free.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub fn start(conduct: impl Fn(&mut Socket) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (conduct, counts) = (Arc::new(conduct), Arc::new(Counts::default()));
        let counted = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let (conduct, counts) = (Arc::clone(&conduct), Arc::clone(&counted));
                // Whoever closes ends it.
                thread::spawn(move || drop(conduct(&mut Socket { stream, counts })));
            }
        });
        Self { address, counts }
    }

    /// A URL of it by a name that leads to this machine.
    pub fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}{HOOK}", self.address.port())
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many bytes it has got rid of.
    pub fn bytes_written(&self) -> usize {
        self.counts.bytes_written.load(Ordering::SeqCst)
    }
}

impl Socket {
    /// Reads one request, and answers with this.
    ///
    /// # Errors
    ///
    /// If the other side has closed.
    pub fn answer(&mut self, answer: &[u8]) -> io::Result<()> {
        read_request(self)?;
        self.write_all(answer)
    }

    /// Writes byte by byte, with a pause before each.
    ///
    /// # Errors
    ///
    /// If the other side has closed.
    pub fn drip(&mut self, bytes: impl IntoIterator<Item = u8>) -> io::Result<()> {
        bytes.into_iter().try_for_each(|byte| {
            thread::sleep(DRIP);
            self.write_all(&[byte])
        })
    }

    /// Writes the same again and again, for as long as the other side takes it.
    ///
    /// # Errors
    ///
    /// When the other side has closed.
    pub fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let block = bytes.repeat((FLOOD_BYTES / bytes.len()).max(1));
        loop {
            self.write_all(&block)?;
            thread::sleep(FLOOD);
        }
    }

    /// Waits for a request, and reads none of it.
    ///
    /// # Errors
    ///
    /// If the other side has closed.
    pub fn peek(&self) -> io::Result<()> {
        self.stream.peek(&mut [0]).map(drop)
    }

    /// Says that nothing more is written.
    ///
    /// # Errors
    ///
    /// If the other side has closed.
    pub fn end(&self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    /// Reads until the other side closes.
    ///
    /// # Errors
    ///
    /// If it does so without an end.
    pub fn wait(&mut self) -> io::Result<()> {
        io::copy(&mut self.stream, &mut io::sink()).map(drop)
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes)?;
        self.counts.bytes_written.fetch_add(written, Ordering::SeqCst);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Reads one request, and nothing behind it.
pub(crate) fn read_request(stream: &mut impl Read) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            return io::copy(&mut reader.take(length), &mut io::sink()).map(drop);
        }
    }
}
