//! From a schedule to the plain data that the plan writer takes.

use std::collections::{BTreeMap, HashMap};

use embarca_ir::dim::Atom;
use embarca_ir::{Const, Dim, Model, Quant};
use embarca_kernels::{Signature, Ty};
use embarca_plan::{Expr, ExprOp, Family, Layout, Packing, opcode};
use embarca_target::Target;

use crate::CompileError;
use crate::plan_writer::{
    FunctionSource, InterfaceSource, PlanSource, PortSource, ProgramSource, QuantSource,
    RecordSource, StateSource, StepSource, StorageSource, SymbolSource, TensorSource,
};
use crate::schedule::{Action, Place, Schedule, Step};

/// Expressions as the plan numbers them: each written once, operands before users.
#[derive(Default)]
struct Exprs {
    list: Vec<Expr>,
    seen: HashMap<Expr, u32>,
}

impl Exprs {
    fn push(&mut self, expr: Expr) -> u32 {
        *self.seen.entry(expr).or_insert_with(|| {
            self.list.push(expr);
            self.list.len() as u32 - 1
        })
    }

    fn dim(&mut self, dim: &Dim) -> Result<embarca_plan::Dim, CompileError> {
        match dim {
            Dim::Known(value) => {
                let fixed = u32::try_from(*value).ok().filter(|value| *value < 1 << 31);
                fixed.map(embarca_plan::Dim::Fixed).ok_or_else(|| {
                    CompileError::Limit(format!("a dimension of {value} does not fit a plan"))
                })
            }
            Dim::Expr(_) => Ok(embarca_plan::Dim::Expr(self.expr(dim)?)),
        }
    }

    /// The dimensions of the tensor `name`.
    fn dims(&mut self, dims: &[Dim], name: &str) -> Result<Vec<embarca_plan::Dim>, CompileError> {
        let each = |dim| match self.dim(dim) {
            Err(CompileError::Limit(what)) => {
                Err(CompileError::Limit(format!("tensor '{}': {what}", name.escape_debug())))
            }
            other => other,
        };
        dims.iter().map(each).collect()
    }

    fn expr(&mut self, dim: &Dim) -> Result<u32, CompileError> {
        let Dim::Expr(poly) = dim else {
            return Ok(self.push(Expr::Const(dim.known().unwrap_or_default())));
        };
        let mut sum = None;
        for (atoms, factor) in poly.terms() {
            let mut product = None;
            for atom in atoms {
                let atom = self.atom(atom)?;
                product = Some(self.combine(ExprOp::Mul, product, atom));
            }
            let term = match (product, *factor) {
                (Some(product), 1) => product,
                (product, factor) => {
                    let factor = self.push(Expr::Const(factor));
                    self.combine(ExprOp::Mul, product, factor)
                }
            };
            sum = Some(self.combine(ExprOp::Add, sum, term));
        }
        Ok(sum.unwrap_or_else(|| self.push(Expr::Const(0))))
    }

    fn combine(&mut self, op: ExprOp, left: Option<u32>, right: u32) -> u32 {
        match left {
            Some(left) => self.push(Expr::Binary(op, left, right)),
            None => right,
        }
    }

    fn atom(&mut self, atom: &Atom) -> Result<u32, CompileError> {
        let (op, a, b) = match atom {
            Atom::Symbol(id) => return Ok(self.push(Expr::Symbol(id.0))),
            Atom::Unknown => {
                return Err(CompileError::Limit(
                    "a dimension depends on data or is too complex to be written".to_owned(),
                ));
            }
            Atom::FloorDiv(a, b) => (ExprOp::FloorDiv, a, b),
            Atom::Rem(a, b) => (ExprOp::Rem, a, b),
            Atom::Min(a, b) => (ExprOp::Min, a, b),
            Atom::Max(a, b) => (ExprOp::Max, a, b),
        };
        let (a, b) = (self.expr(a)?, self.expr(b)?);
        Ok(self.push(Expr::Binary(op, a, b)))
    }
}

fn symbols(model: &Model) -> Vec<SymbolSource> {
    let symbols = model.symbols.iter().map(|symbol| SymbolSource {
        name: symbol.name.clone(),
        min: symbol.min,
        preferred: symbol.preferred,
        max: symbol.max,
        from_data: false,
    });
    symbols.collect()
}

fn quant(quant: Option<&Quant>) -> Option<QuantSource> {
    let quant = quant?;
    Some(QuantSource {
        axis: quant.axis.map(|axis| axis as u32),
        block: 0,
        scales: quant.scales.clone(),
        zeros: quant.zero_points.clone(),
    })
}

/// The interface of a model, as its author knows it.
pub fn interface(model: &Model) -> Result<InterfaceSource, CompileError> {
    let graph = model.main();
    let mut exprs = Exprs::default();
    let mut port = |name: &str, value, role: String| -> Result<PortSource, CompileError> {
        let ty = graph.ty(value);
        let dims = exprs.dims(&ty.dims, name)?;
        Ok(PortSource {
            name: name.to_owned(),
            role,
            dtype: ty.dtype,
            dims,
            axes: Vec::new(),
            quant: quant(ty.quant.as_ref()),
        })
    };
    let inputs =
        graph.inputs.iter().map(|&input| port(&graph.value(input).name, input, String::new()));
    let inputs = inputs.collect::<Result<_, _>>()?;
    let counts = |index: usize| {
        graph.outputs.iter().any(|output| output.counted.is_some_and(|(_, by)| by == index))
    };
    let outputs = graph.outputs.iter().enumerate().map(|(index, output)| {
        let role = match output.counted {
            Some((axis, by)) => format!("counted {axis} {by}"),
            None if counts(index) => "count".to_owned(),
            None => String::new(),
        };
        port(&output.name, output.value, role)
    });
    let outputs = outputs.collect::<Result<_, _>>()?;
    Ok(InterfaceSource {
        symbols: symbols(model),
        exprs: exprs.list,
        inputs,
        outputs,
        profiles: Vec::new(),
    })
}

/// The family number of a target.
///
/// # Errors
/// When the plan format has no number for it.
pub fn family(target: &Target) -> Result<Family, CompileError> {
    Ok(match target.family.as_str() {
        embarca_target::ANY => Family::PORTABLE,
        "x86-64" => Family::X86_64,
        "aarch64" => Family::AARCH64,
        "plain" => Family::PLAIN,
        "cortex-m0" => Family::CORTEX_M0,
        "cortex-m3" => Family::CORTEX_M3,
        "cortex-m4" => Family::CORTEX_M4,
        "cortex-m55" => Family::CORTEX_M55,
        "riscv32" => Family::RISCV32,
        other => {
            return Err(CompileError::Limit(format!("plans have no number for family '{other}'")));
        }
    })
}

/// Adds the program of a model's schedules to a plan.
///
/// # Errors
/// When a kernel refuses a step, or something exceeds what a plan holds.
pub fn program(
    plan: &mut PlanSource,
    model: &Model,
    schedules: &[Schedule],
    target: &Target,
) -> Result<(), CompileError> {
    let mut emitter = Emitter { plan, model, exprs: Exprs::default(), kernels: BTreeMap::new() };
    let mut functions = Vec::with_capacity(schedules.len());
    for schedule in schedules {
        functions.push(emitter.function(schedule)?);
    }
    let mut states = Vec::new();
    for state in schedules.iter().flat_map(|schedule| &schedule.states) {
        let zeros = state.initial.data.iter().all(|&byte| byte == 0);
        let dims = state.initial.dims.iter().map(|&dim| Dim::Known(dim as i64));
        let dims = dims.map(|dim| emitter.exprs.dim(&dim)).collect::<Result<_, _>>()?;
        states.push(StateSource {
            name: state.name.clone(),
            dtype: state.initial.dtype,
            dims,
            initial: (!zeros).then(|| emitter.blob(&state.initial)),
            reset_group: 0,
        });
    }
    let (exprs, kernel_names) = (emitter.exprs.list, emitter.kernels);
    plan.programs.push(ProgramSource {
        target: target.id.clone(),
        family: family(target)?,
        kernel_set: 1,
        align: target.alignment,
        needs_host: false,
        symbols: if exprs.is_empty() { Vec::new() } else { symbols(model) },
        exprs,
        kernel_names,
        functions,
        states,
    });
    Ok(())
}

/// A program on its way into a plan.
struct Emitter<'a> {
    plan: &'a mut PlanSource,
    model: &'a Model,
    exprs: Exprs,
    /// Names by opcode.
    kernels: BTreeMap<u16, String>,
}

impl Emitter<'_> {
    /// Adds constant data to the plan.
    fn blob(&mut self, data: &Const) -> usize {
        self.plan.weights.push(data.data.to_vec());
        self.plan.weights.len() - 1
    }

    fn function(&mut self, schedule: &Schedule) -> Result<FunctionSource, CompileError> {
        let mut tensors = Vec::with_capacity(schedule.tensors.len());
        for tensor in &schedule.tensors {
            let storage = match &tensor.place {
                Place::Const(data) => {
                    StorageSource::Weights { blob: self.blob(data), packing: Packing::default() }
                }
                Place::Input(_) => StorageSource::Input,
                Place::Output(_) => StorageSource::Output,
                Place::State(number) => StorageSource::State(*number as usize),
                Place::Arena => StorageSource::Arena { offset: 0 },
                Place::Alias(of, offset) => {
                    StorageSource::Alias { tensor: *of, offset: self.exprs.dim(offset)? }
                }
            };
            let dims = self.exprs.dims(&tensor.ty.dims, &tensor.name)?;
            tensors.push(TensorSource {
                name: tensor.name.clone(),
                dtype: tensor.ty.dtype,
                dims,
                storage,
                layout: Layout::ROW_MAJOR,
                quant: quant(tensor.ty.quant.as_ref()),
            });
        }
        let mut scratch = 0;
        let mut steps = Vec::with_capacity(schedule.steps.len());
        for (index, step) in schedule.steps.iter().enumerate() {
            let (opcode, algorithm, record) = match &step.action {
                Action::Join => (opcode::JOIN, 0, RecordSource::default()),
                Action::Call { opcode, words } => (*opcode, 0, RecordSource::Words(words.clone())),
                Action::Kernel { name, record, algorithm } => {
                    let unlisted = || CompileError::Bug(format!("kernel {name} is not listed"));
                    let opcode = embarca_kernels::opcode(name).ok_or_else(unlisted)?;
                    self.kernels.insert(opcode.0, (*name).to_owned());
                    let need = check(self.model, schedule, index, step, record, opcode)?;
                    scratch = scratch.max(need);
                    (opcode.0, *algorithm as u16, RecordSource::Bytes(record.clone()))
                }
            };
            steps.push(StepSource {
                name: step.name.clone(),
                opcode,
                algorithm,
                inputs: step.inputs.clone(),
                outputs: step.outputs.clone(),
                record,
            });
        }
        Ok(FunctionSource {
            name: schedule.name.clone(),
            tensors,
            steps,
            inputs: schedule.inputs.clone(),
            outputs: schedule.outputs.clone(),
            scratch,
        })
    }
}

/// Asks a step's kernel whether it takes the step at preferred sizes; yields its scratch.
fn check(
    model: &Model,
    schedule: &Schedule,
    index: usize,
    step: &Step,
    record: &[u8],
    opcode: embarca_kernels::Opcode,
) -> Result<u64, CompileError> {
    let preferred = |id: embarca_ir::SymbolId| {
        model.symbols.get(id.index()).map(|symbol| i64::from(symbol.preferred))
    };
    let dims = |tensor: usize| -> Result<(embarca_num::DType, Vec<u32>), CompileError> {
        let ty = &schedule.tensors[tensor].ty;
        let dims = ty.dims.iter().map(|dim| {
            dim.eval(&preferred).and_then(|value| u32::try_from(value).ok()).ok_or_else(|| {
                let name = &step.name;
                let dim = model.with_names(&dim.to_string());
                CompileError::Limit(format!(
                    "step '{name}': dimension {dim} has no value at the preferred sizes; \
                     give the inputs' shapes"
                ))
            })
        });
        Ok((ty.dtype, dims.collect::<Result<_, _>>()?))
    };
    let inputs = step.inputs.iter().map(|input| input.map(dims).transpose());
    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
    let outputs = step.outputs.iter().map(|&output| dims(output)).collect::<Result<Vec<_>, _>>()?;
    let ty = |(dtype, dims): &'_ (embarca_num::DType, Vec<u32>)| (*dtype, dims.clone());
    let input_types: Vec<Option<Ty<'_>>> = inputs
        .iter()
        .map(|ty| ty.as_ref().map(|(dtype, dims)| Ty { dtype: *dtype, dims }))
        .collect();
    let output_types: Vec<Ty<'_>> =
        outputs.iter().map(|(dtype, dims)| Ty { dtype: *dtype, dims }).collect();
    let signature = Signature { record, inputs: &input_types, outputs: &output_types };
    let kernel = embarca_kernels::portable(opcode)
        .ok_or_else(|| CompileError::Bug(format!("opcode {} is not listed", opcode.0)))?;
    let needs = (kernel.check)(&signature).map_err(|fault| {
        let types: Vec<_> = inputs.iter().flatten().map(ty).collect();
        let results: Vec<_> = outputs.iter().map(ty).collect();
        CompileError::Kernel {
            step: format!("step {index} '{}' ({})", step.name, kernel.name),
            fault,
            types: format!("{types:?} -> {results:?}"),
        }
    })?;
    Ok(needs.scratch as u64)
}
