//! The trade-off as a picture that stands by itself, for light and dark pages.

use std::fmt::Write;

use super::curve::{Curve, LINES, Point};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 500.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 120.0;
/// What is falsely heard in an hour may be so much.
const LIMIT: f64 = 50.0;

/// Other detectors, as they were measured over another suite of the same plan: false digits in an
/// hour of voices, percent accepted of what the standards require and beyond it, and on which side
/// their name is.
const PEERS: [(&str, f64, [f64; 2], &str); 4] = [
    ("Asterisk", 163.0, [94.51, 83.19], "end"),
    ("spandsp", 170.0, [94.86, 83.42], "start"),
    ("spandsp, dial-tone filter", 191.0, [95.08, 90.19], "end"),
    ("multimon-ng", 385.0, [91.74, 90.09], "middle"),
];

const STYLE: &str = "text { font: 13px system-ui, sans-serif; fill: #59636e; }
.paper { fill: #ffffff; } .grid { stroke: #d8dee4; } .limit { stroke: #59636e; stroke-dasharray: 4 3; }
.profile { stroke: #59636e; stroke-dasharray: 1 4; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.s0 { stroke: #0969da; } .line.s1 { stroke: #bf5700; } .line.s2 { stroke: #1a7f37; }
.dot.s0 { fill: #0969da; } .dot.s1 { fill: #bf5700; } .dot.s2 { fill: #1a7f37; }
.peer { stroke-width: 2; fill: #ffffff; } .peer.s0 { stroke: #0969da; } .peer.s1 { stroke: #bf5700; }
.end { text-anchor: end; } .middle { text-anchor: middle; } .strong { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; } .paper, .peer { fill: #0d1117; } .grid { stroke: #30363d; }
  .limit, .profile { stroke: #9198a1; }
  .line.s0, .peer.s0 { stroke: #58a6ff; } .line.s1, .peer.s1 { stroke: #f0883e; }
  .line.s2 { stroke: #3fb950; }
  .dot.s0 { fill: #58a6ff; } .dot.s1 { fill: #f0883e; } .dot.s2 { fill: #3fb950; }
}";

/// Where things are.
struct Axes {
    /// Decades of false digits an hour.
    decades: [f64; 2],
    /// The lowest percentage.
    floor: f64,
}

impl Axes {
    fn of(curve: &Curve) -> Axes {
        let all = || curve.swept.iter().chain(&curve.profiles);
        let rates = || all().map(|point| point.false_per_hour).chain(PEERS.map(|peer| peer.1));
        let least = rates().fold(f64::MAX, f64::min).log10().floor();
        let most = rates().fold(f64::MIN, f64::max).log10().ceil();
        let accepted = all().flat_map(|point| point.accepted).filter(|percent| !percent.is_nan());
        let floor = accepted.chain([80.0]).fold(f64::MAX, f64::min);
        Axes { decades: [least, most], floor: (floor / 10.0).floor() * 10.0 }
    }

    fn x(&self, rate: f64) -> f64 {
        let [least, most] = self.decades;
        LEFT + (WIDTH - LEFT - RIGHT) * (rate.log10() - least) / (most - least)
    }

    fn y(&self, percent: f64) -> f64 {
        let share = (percent - self.floor) / (100.0 - self.floor);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    }
}

/// The whole picture.
pub fn draw(curve: &Curve) -> String {
    let axes = Axes::of(curve);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>Digits accepted against digits falsely heard</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    grid(&mut svg, &axes);
    upright(&mut svg, &axes, "limit", LIMIT, TOP);
    let (x, y) = (axes.x(LIMIT) + 6.0, HEIGHT - BOTTOM - 8.0);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">limit: 50</text>");
    for number in 0..LINES.len() {
        line(&mut svg, &axes, &curve.swept, number);
    }
    curve.profiles.iter().for_each(|profile| self::profile(&mut svg, &axes, profile));
    PEERS.iter().for_each(|peer| self::peer(&mut svg, &axes, peer));
    legend(&mut svg, curve);
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, axes: &Axes) {
    let step = if axes.floor < 60.0 { 10.0 } else { 5.0 };
    let mut percent = axes.floor;
    while percent <= 100.0 {
        let (y, right) = (axes.y(percent), WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{percent} %</text>",
            LEFT - 8.0,
            y + 4.0
        );
        percent += step;
    }
    for decade in axes.decades[0] as i32..=axes.decades[1] as i32 {
        let rate = 10f64.powi(decade);
        upright(svg, axes, "grid", rate, TOP);
        let (x, y) = (axes.x(rate), HEIGHT - BOTTOM + 18.0);
        let _ = writeln!(svg, "<text class=\"middle\" x=\"{x:.1}\" y=\"{y}\">{rate}</text>");
    }
    let (right, y) = (WIDTH - RIGHT, HEIGHT - BOTTOM + 36.0);
    let _ = writeln!(
        svg,
        "<text class=\"end\" x=\"{right}\" y=\"{y}\">false digits in an hour of voices made to be \
         mistaken for digits</text>\n<text x=\"8\" y=\"20\">digits accepted, %</text>"
    );
}

fn upright(svg: &mut String, axes: &Axes, class: &str, rate: f64, top: f64) {
    let (x, bottom) = (axes.x(rate), HEIGHT - BOTTOM);
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
    );
}

fn line(svg: &mut String, axes: &Axes, points: &[Point], number: usize) {
    let mut path = String::new();
    for point in points.iter().filter(|point| !point.accepted[number].is_nan()) {
        let (x, y) = (axes.x(point.false_per_hour), axes.y(point.accepted[number]));
        let _ = write!(path, "{x:.1},{y:.1} ");
        let percent = point.accepted[number];
        let _ = writeln!(
            svg,
            "<circle class=\"dot s{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{} times: \
             {percent:.2} %, {:.1} false an hour</title></circle>",
            point.name, point.false_per_hour
        );
    }
    let _ = writeln!(svg, "<polyline class=\"line s{number}\" points=\"{}\"/>", path.trim_end());
}

fn profile(svg: &mut String, axes: &Axes, profile: &Point) {
    let x = axes.x(profile.false_per_hour);
    upright(svg, axes, "profile", profile.false_per_hour, TOP - 6.0);
    let _ = writeln!(
        svg,
        "<text class=\"middle strong\" x=\"{x:.1}\" y=\"{}\">{}</text>",
        TOP - 12.0,
        profile.name
    );
    for (number, &percent) in profile.accepted.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
        let y = axes.y(percent);
        let _ = writeln!(
            svg,
            "<path class=\"dot s{number}\" d=\"M{x:.1} {:.1}l7 7l-7 7l-7-7z\"><title>{}: \
             {percent:.2} %</title></path>",
            y - 7.0,
            profile.name
        );
    }
}

fn peer(svg: &mut String, axes: &Axes, (name, rate, accepted, side): &(&str, f64, [f64; 2], &str)) {
    let x = axes.x(*rate);
    for (number, &percent) in accepted.iter().enumerate() {
        let y = axes.y(percent);
        let _ = writeln!(
            svg,
            "<circle class=\"peer s{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"><title>{name}: \
             {percent} %, {rate} false an hour</title></circle>"
        );
    }
    let (right, down) = match *side {
        "end" => (-9.0, 4.0),
        "start" => (9.0, 4.0),
        _ => (0.0, 20.0),
    };
    let _ = writeln!(
        svg,
        "<text class=\"{side}\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
        x + right,
        axes.y(accepted[1]) + down
    );
}

fn legend(svg: &mut String, curve: &Curve) {
    let mut at = LEFT;
    let y = HEIGHT - 56.0;
    for (number, name) in LINES.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<polyline class=\"line s{number}\" points=\"{at},{0} {1},{0}\"/>\
             <text x=\"{2}\" y=\"{y}\">{name}</text>",
            y - 4.0,
            at + 22.0,
            at + 30.0
        );
        at += 54.0 + 7.0 * name.len() as f64;
    }
    for (above, text) in [
        (36.0, "Dots: how much else may be heard with the two tones, times 0.25 (left) to 4. Diamonds: the named profiles.".to_owned()),
        (16.0, format!("Rings: other detectors over another suite of the same plan. {:.0} hours of voices; none in them counts as half a digit.", curve.hours)),
    ] {
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{text}</text>", HEIGHT - above);
    }
}
