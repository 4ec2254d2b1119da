//! The ratios as bars, for a page.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::report::Results;
use crate::scenario::{Scenario, Target};

const WIDTH: u32 = 800;
const BAR: u32 = 34;
const MARGIN: u32 = 60;
const COLOUR: RGBColor = RGBColor(31, 111, 178);

/// Draws the ratio of each scenario to the bare forwarder into an SVG file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn draw(file: &Path, scenarios: &[Scenario], results: &Results) -> Result<()> {
    let bars: Vec<_> = scenarios
        .iter()
        .filter(|scenario| !matches!(scenario.target, Target::Bare))
        .filter_map(|scenario| Some((scenario.title, *results.ratios.get(scenario.key)?)))
        .collect();
    let height = MARGIN + BAR * u32::try_from(bars.len())?;
    draw_bars(file, &bars, height).map_err(|error| anyhow!("{} cannot be drawn: {error}", file.display()))
}

fn draw_bars(file: &Path, bars: &[(&str, f64)], height: u32) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = bars.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    let rows = i32::try_from(bars.len())?;
    let mut chart = ChartBuilder::on(&area)
        .caption("events per second, as a part of the bare forwarder's", ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(24)
        .build_cartesian_2d(0.0..most, 0..rows)?;
    chart.configure_mesh().disable_y_mesh().disable_y_axis().draw()?;
    let upside_down = |row: usize| rows - 1 - i32::try_from(row).unwrap_or(0);
    chart.draw_series(bars.iter().enumerate().map(|(row, (_, ratio))| {
        let at = upside_down(row);
        let mut bar = Rectangle::new([(0.0, at), (*ratio, at + 1)], COLOUR.mix(0.35).filled());
        bar.set_margin(3, 3, 0, 0);
        bar
    }))?;
    chart.draw_series(bars.iter().enumerate().map(|(row, (title, ratio))| {
        let below_the_edge = 9;
        EmptyElement::at((0.0, upside_down(row) + 1))
            + Text::new(format!("{title}: {ratio:.2}"), (8, below_the_edge), ("sans-serif", 14))
    }))?;
    Ok(area.present()?)
}
