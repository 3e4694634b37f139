//! Who is believed when resolvers do not agree.

use serde_json::Value;

use crate::support::{Outside, Program, rig};

async fn check(program: &Program, name: &str) -> Value {
    program.run(&["check", "--json", name]).await.json()[0].clone()
}

#[tokio::test]
async fn the_rig_serves_signed_zones() {
    let rig = rig();
    rig.zone("signed-1.example").a("@", "127.0.0.1").serve();
    rig.zone("unsigned-1.example").a("@", "127.0.0.1").unsigned().serve();
    rig.zone("bogus-1.example").a("@", "127.0.0.1").bogus().serve();
    rig.zone("lame-1.example").lame().serve();
    let outside = Outside::start().await;
    let program =
        outside.around(Program::bare()).with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1");
    for (resolver, verdicts) in [
        (rig.validating, ["ok", "ok", "broken", "broken"]),
        (rig.trusting, ["ok", "ok", "ok", "broken"]),
    ] {
        let program = program.clone().with("CLOSTE_SYNC__CHECKS__RESOLVERS", &resolver.to_string());
        for (name, verdict) in
            ["signed-1.example", "unsigned-1.example", "bogus-1.example", "lame-1.example"]
                .into_iter()
                .zip(verdicts)
        {
            let dns = check(&program, name).await["dns"].clone();
            assert_eq!(dns["verdict"], verdict, "{name}: {dns}");
        }
    }
}
