//! The content of reports on plans and tenants, as values without layout and colour.

pub mod attention;
pub mod binding;
pub mod components;
pub mod connection_fields;
pub mod field_cell;
pub mod manual_steps;
pub mod matrix;
mod missing_keys;
pub mod object_state;
pub mod overview;
pub mod overview_state;
pub mod passed_over;
pub mod plan_state;
pub mod ranked;
pub mod shown_value;
pub mod status;
pub mod sync_overrides;
pub mod tally;
pub mod tenant_connection;
pub mod value;
pub mod waiting_write;
