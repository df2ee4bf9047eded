//! Interface, properties and vectors.

use std::collections::BTreeMap;

use embarca_plan::records::{
    InterfaceRecord, NONE, PortRecord, ProfileRecord, VectorRecord, VectorsRecord,
};
use embarca_plan::{PropertySpec, properties_len, write_properties};

use super::table::{CommonTable, StringTable, Tables, number};
use super::{
    ExpectedSource, InterfaceSource, PortSource, PropertySource, VectorInputSource, VectorSource,
    WriteError,
};

pub fn interface(source: &InterfaceSource) -> Result<Vec<u8>, WriteError> {
    let mut common = CommonTable::default();
    let (mut ports, mut axes) = (Vec::new(), Vec::new());
    for source in source.inputs.iter().chain(&source.outputs) {
        ports.push(port(source, &mut common, &mut axes)?);
    }
    let (mut profiles, mut values) = (Vec::new(), Vec::new());
    for (name, sizes) in &source.profiles {
        let name = common.strings.optional(name)?;
        profiles.push(ProfileRecord { name, start: number(values.len())? });
        values.extend_from_slice(sizes);
    }
    let mut tables = Tables::behind::<InterfaceRecord>();
    let header = InterfaceRecord {
        inputs: number(source.inputs.len())?,
        reserved: 0,
        common: common.write(&mut tables, &source.symbols, &source.exprs)?,
        ports: tables.push(&ports)?,
        axes: tables.push(&axes)?,
        profiles: tables.push(&profiles)?,
        values: tables.push(&values)?,
    };
    Ok(tables.finish(&header))
}

fn port(
    source: &PortSource,
    common: &mut CommonTable,
    axes: &mut Vec<u32>,
) -> Result<PortRecord, WriteError> {
    let (rank, dims) = common.dims(&source.dims)?;
    let first_axis = match source.axes.len() {
        0 => NONE,
        names if names == source.dims.len() => number(axes.len())?,
        names => return Err(WriteError::Index { what: "axis name", index: names }),
    };
    for axis in &source.axes {
        axes.push(common.strings.optional(axis.as_deref().unwrap_or(""))?);
    }
    Ok(PortRecord {
        name: common.strings.optional(&source.name)?,
        role: common.strings.optional(&source.role)?,
        dtype: source.dtype.code(),
        rank,
        reserved: 0,
        dims,
        axes: first_axis,
        quant: common.quant(source.quant.as_ref())?,
    })
}

pub fn properties(source: &BTreeMap<String, PropertySource>) -> Result<Vec<u8>, WriteError> {
    let texts: Vec<Vec<&str>> = source
        .values()
        .map(|values| match values {
            PropertySource::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect();
    let specs: Vec<(&str, PropertySpec)> = source
        .iter()
        .zip(&texts)
        .map(|((key, values), texts)| {
            let spec = match values {
                PropertySource::Texts(_) => PropertySpec::Texts(texts),
                PropertySource::Integers(integers) => PropertySpec::Integers(integers),
                PropertySource::Floats(floats) => PropertySpec::Floats(floats),
            };
            (key.as_str(), spec)
        })
        .collect();
    let mut bytes = vec![0; properties_len(&specs)?];
    write_properties(&specs, &mut bytes)?;
    Ok(bytes)
}

pub fn vectors(source: &[VectorSource]) -> Result<Vec<u8>, WriteError> {
    let mut strings = StringTable::default();
    let mut data = Vec::new();
    let mut vectors = Vec::new();
    for source in source {
        let mut record = VectorRecord {
            name: strings.optional(&source.name)?,
            program: source.program.unwrap_or(NONE),
            runs: source.runs,
            generator: NONE,
            seed: [0; 2],
            input: 0,
            input_len: 0,
            check: 0,
            crc: 0,
            expected: 0,
            expected_len: 0,
            absolute: 0.0,
            relative: 0.0,
        };
        match &source.input {
            VectorInputSource::Generated { generator, seed } => {
                record.generator = strings.intern(generator)?;
                record.seed = [*seed as u32, (seed >> 32) as u32];
            }
            VectorInputSource::Stored(bytes) => {
                (record.input, record.input_len) = store(&mut data, bytes)?;
            }
        }
        match &source.expected {
            ExpectedSource::Crc(crc) => record.crc = *crc,
            ExpectedSource::Near { bytes, absolute, relative } => {
                record.check = 1;
                (record.expected, record.expected_len) = store(&mut data, bytes)?;
                (record.absolute, record.relative) = (*absolute, *relative);
            }
        }
        vectors.push(record);
    }
    let mut tables = Tables::behind::<VectorsRecord>();
    let (string_ends, strings) = strings.write(&mut tables)?;
    let header = VectorsRecord {
        string_ends,
        strings,
        vectors: tables.push(&vectors)?,
        data: tables.push(&data)?,
    };
    Ok(tables.finish(&header))
}

fn store(data: &mut Vec<u8>, bytes: &[u8]) -> Result<(u32, u32), WriteError> {
    data.resize(data.len().next_multiple_of(4), 0);
    let start = number(data.len())?;
    data.extend_from_slice(bytes);
    Ok((start, number(bytes.len())?))
}
