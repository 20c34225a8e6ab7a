//! rumqttd with the configuration (JSON) in the file that is named, for tests.

use rumqttd::{Broker, Config};
use std::{env, fs};

fn main() {
    let file = env::args().nth(1).expect("the file of the configuration");
    let text = fs::read_to_string(file).expect("a readable configuration");
    let config: Config = serde_json::from_str(&text).expect("a valid configuration");
    Broker::new(config).start().expect("a broker that starts");
}
