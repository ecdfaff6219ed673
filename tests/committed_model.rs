//! A clone can be served: the model under `models/` passes every check of the program beside it.

use std::path::Path;

use churn_risk::model::Registry;

#[test]
fn the_committed_model_loads_and_its_probes_score_as_they_did() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let loaded = Registry::open(&models).load_current().expect("a model that this program wrote");
    assert_eq!(loaded.model.horizon().get(), 30);
}
