//! Prints the API's description: `cargo run -p api --example openapi > infra/openapi.json`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    writeln!(std::io::stdout(), "{}", api::description().to_pretty_json()?)?;
    Ok(())
}
